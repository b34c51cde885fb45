"""A PostgreSQL database of RDS, and a secret of an application's user that Keyturn rotates by alternating users.

What rds-postgres.yaml does, as a construct of the CDK (aws-cdk-lib 2). The same four steps, in the same order; `rotate` is
its parameter Rotate.
"""

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct


class ShopDatabase(Construct):
    """The database, the application's secret and, once the database knows the user, its rotation."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        vpc: ec2.IVpc,
        functions: ec2.ISecurityGroup,  # that of Keyturn's functions (SecurityGroupIds of its stack)
        rotator_arn: str,  # the output PostgresRotatorArn of Keyturn's stack
        rotate: bool,
    ) -> None:
        super().__init__(scope, name)
        access = ec2.SecurityGroup(self, "Access", vpc=vpc, allow_all_outbound=False)
        access.add_ingress_rule(functions, ec2.Port.tcp(5432), "Keyturn")
        subnets = rds.SubnetGroup(self, "Subnets", description="Where the database is.", vpc=vpc)
        # The level 1 construct: that of level 2 makes a secret of its own, in place of RDS's managed one.
        database = rds.CfnDBInstance(
            self,
            "Database",
            engine="postgres",
            engine_version="17",
            db_instance_class="db.t4g.micro",
            allocated_storage="20",
            storage_type="gp3",
            storage_encrypted=True,
            db_name="shop",
            master_username="postgres",
            manage_master_user_password=True,  # RDS keeps and rotates it; it is the admin of alternating users
            publicly_accessible=False,
            db_subnet_group_name=subnets.subnet_group_name,
            vpc_security_groups=[access.security_group_id],
            backup_retention_period=7,
            copy_tags_to_snapshot=True,
            deletion_protection=True,
        )
        database.apply_removal_policy(RemovalPolicy.SNAPSHOT)
        admin = database.attr_master_user_secret_secret_arn
        # Never change the generator again: it would write a password that the database does not know.
        self.secret = secretsmanager.Secret(
            self,
            "AppSecret",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=Stack.of(self).to_json_string({"username": "app", "masterarn": admin}),
                generate_string_key="password",
                password_length=32,
                exclude_characters="/@\"'\\",
            ),
        )
        # Writes engine, host, port, dbname and dbInstanceIdentifier into the secret.
        attachment = secretsmanager.CfnSecretTargetAttachment(
            self,
            "Attachment",
            secret_id=self.secret.secret_arn,
            target_id=database.ref,
            target_type="AWS::RDS::DBInstance",
        )
        if rotate:
            # The level 1 construct: that of level 2 also forbids the whole account to delete the secret, by its policy.
            secretsmanager.CfnRotationSchedule(
                self,
                "Rotation",
                secret_id=attachment.ref,
                rotation_lambda_arn=rotator_arn,
                rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                    schedule_expression="cron(0 3 ? * SUN *)",  # UTC
                    duration="2h",
                ),
                rotate_immediately_on_update=False,  # tests the function: it logs in as AWSCURRENT
            )
        CfnOutput(self, "AdminSecretArn", value=admin)  # for AdminSecrets of Keyturn's stack
