# AWS fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet: both must be
# reachable there, without a client certificate, on port 443.

# An account has one provider for each issuer. Where there is one already, take it as
# `data "aws_iam_openid_connect_provider"` instead, with the audience among its client ids.
resource "aws_iam_openid_connect_provider" "{{label}}" {
  url            = {{issuer}}
  client_id_list = [{{audience}}]
}

# The workload's name comes as session tags and source identity, so that CloudTrail tells who it was.
resource "aws_iam_role" "{{label}}" {
  name                 = {{name}}
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.{{label}}.arn }
      Action    = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
      Condition = {{condition}}
    }]
  })
}

# The most that a workload can get. Each session is narrowed to what its destination and Cloakroom's policy permit.
resource "aws_iam_role_policy" "{{label}}" {
  name = {{name}}
  role = aws_iam_role.{{label}}.id
  policy = jsonencode({{policy}})
}

output "{{label}}_role_arn" {
  value = aws_iam_role.{{label}}.arn
}
