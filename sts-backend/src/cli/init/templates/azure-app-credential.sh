az ad app federated-credential create --id "$CLIENT_ID" --parameters {{credential}}
