"""The Lambda function that rotates users of Amazon Redshift, provisioned and Serverless."""

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.redshift.target import Redshift

redshift = Redshift()
handler = rotation_handler(SingleUser(redshift), AlternatingUsers(redshift))
