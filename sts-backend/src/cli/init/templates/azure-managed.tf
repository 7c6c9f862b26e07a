# Entra fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet: both must be
# reachable there, without a client certificate. A new credential is known everywhere after some minutes only.

data "azurerm_resource_group" "{{label}}" {
  name = {{resource_group}}
}

resource "azurerm_user_assigned_identity" "{{label}}" {
  name                = {{name}}
  resource_group_name = data.azurerm_resource_group.{{label}}.name
  location            = data.azurerm_resource_group.{{label}}.location
}

# Whom Entra believes in Cloakroom's tokens: this issuer, and these subjects, letter by letter. There is room for 20.
# (Before azurerm 5 it is `parent_id` instead, and `resource_group_name` besides.)
resource "azurerm_federated_identity_credential" "{{label}}" {
  for_each = {{credentials}}
  name                      = each.key
  user_assigned_identity_id = azurerm_user_assigned_identity.{{label}}.id
  issuer                    = {{issuer}}
  subject                   = each.value
  audience                  = [{{audience}}]
}

locals {
  {{label}}_principal_id = azurerm_user_assigned_identity.{{label}}.principal_id
}

output "{{label}}_client_id" {
  value = azurerm_user_assigned_identity.{{label}}.client_id
}

