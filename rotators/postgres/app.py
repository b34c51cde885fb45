"""The Lambda function that rotates PostgreSQL users."""

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.postgres.target import Postgres

postgres = Postgres()
handler = rotation_handler(SingleUser(postgres), AlternatingUsers(postgres))
