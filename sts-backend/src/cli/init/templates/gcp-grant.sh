gcloud storage buckets add-iam-policy-binding {{bucket_uri}} --member {{account_member}} --role {{role}}
