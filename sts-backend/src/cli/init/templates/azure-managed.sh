# Entra fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet: both must be
# reachable there, without a client certificate. A new credential is known everywhere after some minutes only.
set -eu

CLIENT_ID=$(az identity create --name {{name}} --resource-group {{resource_group}} --query clientId --output tsv)
PRINCIPAL_ID=$(az identity show --name {{name}} --resource-group {{resource_group}} --query principalId --output tsv)

# Whom Entra believes in Cloakroom's tokens: this issuer, and these subjects, letter by letter. There is room for 20.
{{lines}}
