# Entra fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet: both must be
# reachable there, without a client certificate. A new credential is known everywhere after some minutes only.
set -eu

CLIENT_ID=$(az ad app create --display-name {{name}} --query appId --output tsv)
PRINCIPAL_ID=$(az ad sp create --id "$CLIENT_ID" --query id --output tsv)

# Whom Entra believes in Cloakroom's tokens: this issuer, and these subjects, letter by letter. There is room for 20.
{{lines}}
