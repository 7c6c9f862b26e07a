# Entra fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet: both must be
# reachable there, without a client certificate. A new credential is known everywhere after some minutes only.

resource "azuread_application" "{{label}}" {
  display_name = {{name}}
}

resource "azuread_service_principal" "{{label}}" {
  client_id = azuread_application.{{label}}.client_id
}

# Whom Entra believes in Cloakroom's tokens: this issuer, and these subjects, letter by letter. There is room for 20.
resource "azuread_application_federated_identity_credential" "{{label}}" {
  for_each = {{credentials}}
  application_id = azuread_application.{{label}}.id
  display_name   = each.key
  issuer         = {{issuer}}
  subject        = each.value
  audiences      = [{{audience}}]
}

locals {
  {{label}}_principal_id = azuread_service_principal.{{label}}.object_id
}

output "{{label}}_client_id" {
  value = azuread_application.{{label}}.client_id
}

