"""MongoDB's users and DocumentDB's, in front of FerretDB, which has only half of them.

FerretDB is real in what it does: SCRAM, passwords, createUser, updateUser's `pwd`. It lacks what a rotation of alternating
users is about: roles of one's own choice, mechanisms, restrictions, users of several databases, and that a user may not do
everything. A proxy keeps those, after MongoDB's manual ("User Management Commands", "Privilege Actions") and its source
(src/mongo/db/commands/user_management_commands.cpp), and after AWS's pages "Database access using Role-Based Access Control" and
"Authentication using SCRAM-SHA-256". What neither page says, it does not do.
"""
