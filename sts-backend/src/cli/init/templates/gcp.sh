# Google fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet. Where they
# are not reachable there, upload the keys instead, again whenever they change: save the issuer's /jwks.json, and add
# --jwk-json-path=jwks.json to the line that makes the provider.
set -eu
gcloud services enable iam.googleapis.com sts.googleapis.com iamcredentials.googleapis.com --project {{project}}

gcloud iam workload-identity-pools create {{name}} --project {{project}} --location global
gcloud iam workload-identity-pools providers create-oidc {{name}} --project {{project}} --location global \
  --workload-identity-pool {{name}} --issuer-uri {{issuer}} --allowed-audiences {{audience}} \
  --attribute-mapping google.subject=assertion.sub --attribute-condition {{condition}}

# Who may become the service account.
gcloud iam service-accounts create {{name}} --project {{project}}
{{bindings}}
# The most that a workload can get. Each token is narrowed to what its destination and Cloakroom's policy permit. For that the
# bucket has to have uniform bucket-level access; where it is switched on, access lists of single objects no longer count.
{{grants}}