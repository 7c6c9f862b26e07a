gcloud iam service-accounts add-iam-policy-binding {{account}} --project {{project}} \
  --role roles/iam.workloadIdentityUser --member {{member}}
