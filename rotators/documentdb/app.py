"""The Lambda function that rotates users of Amazon DocumentDB and MongoDB."""

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.documentdb.target import DocumentDb

documentdb = DocumentDb()
handler = rotation_handler(SingleUser(documentdb), AlternatingUsers(documentdb))
