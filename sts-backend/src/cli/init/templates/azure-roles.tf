data "azurerm_storage_account" "{{label}}" {
  name                = {{account}}
  resource_group_name = {{resource_group}}
}

# The most that a workload can get. Each shared access signature is narrowed to what its destination and Cloakroom's policy permit.
resource "azurerm_role_assignment" "{{label}}_data" {
  scope                = format("%s/blobServices/default/containers/%s", data.azurerm_storage_account.{{label}}.id, {{container}})
  role_definition_name = {{data_role}}
  principal_id         = local.{{label}}_principal_id
}

# To have a key for such signatures; it opens nothing by itself.
resource "azurerm_role_assignment" "{{label}}_delegator" {
  scope                = data.azurerm_storage_account.{{label}}.id
  role_definition_name = "Storage Blob Delegator"
  principal_id         = local.{{label}}_principal_id
}
