# AWS fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet: both must be
# reachable there, without a client certificate, on port 443.
set -eu

# An account has one provider for each issuer. Where there is one already, leave this line out.
aws iam create-open-id-connect-provider --url {{issuer}} --client-id-list {{audience}}

# The workload's name comes as session tags and source identity, so that CloudTrail tells who it was.
aws iam create-role --role-name {{name}} --max-session-duration 3600 --assume-role-policy-document {{trust}}

# The most that a workload can get. Each session is narrowed to what its destination and Cloakroom's policy permit.
aws iam put-role-policy --role-name {{name}} --policy-name {{name}} --policy-document {{policy}}
