"""The Lambda function that rotates users of MySQL, Aurora MySQL and MariaDB."""

from common.dual_password import DualPassword
from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.mysql.target import MySql

mysql = MySql()
handler = rotation_handler(SingleUser(mysql), DualPassword(mysql), AlternatingUsers(mysql))
