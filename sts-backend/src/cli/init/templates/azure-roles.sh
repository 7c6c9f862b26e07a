STORAGE_ID=$(az storage account show --name {{account}} --resource-group {{resource_group}} --query id --output tsv)

# The most that a workload can get. Each shared access signature is narrowed to what its destination and Cloakroom's policy permit.
CONTAINER={{container}}
az role assignment create --assignee-object-id "$PRINCIPAL_ID" --assignee-principal-type ServicePrincipal \
  --role {{data_role}} --scope "$STORAGE_ID/blobServices/default/containers/$CONTAINER"

# To have a key for such signatures; it opens nothing by itself.
az role assignment create --assignee-object-id "$PRINCIPAL_ID" --assignee-principal-type ServicePrincipal \
  --role 'Storage Blob Delegator' --scope "$STORAGE_ID"

echo "client_id: $CLIENT_ID"
