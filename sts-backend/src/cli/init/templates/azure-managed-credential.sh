az identity federated-credential create --name {{credential_name}} --identity-name {{name}} --resource-group {{resource_group}} \
  --issuer {{issuer}} --subject {{credential_subject}} --audiences {{audience}}
