# Google fetches the issuer's /.well-known/openid-configuration, and the keys that it names, from the public internet. Where they
# are not reachable there, upload the keys instead (`jwks_json` below), again whenever they change.

resource "google_iam_workload_identity_pool" "{{label}}" {
  project                   = {{project}}
  workload_identity_pool_id = {{name}}
}

resource "google_iam_workload_identity_pool_provider" "{{label}}" {
  project                            = {{project}}
  workload_identity_pool_id          = google_iam_workload_identity_pool.{{label}}.workload_identity_pool_id
  workload_identity_pool_provider_id = {{name}}
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = {{condition}}

  oidc {
    issuer_uri        = {{issuer}}
    allowed_audiences = [format("https://iam.googleapis.com/%s/providers/%s", google_iam_workload_identity_pool.{{label}}.name, {{name}})]
    # jwks_json       = file("${path.module}/jwks.json")
  }
}

resource "google_service_account" "{{label}}" {
  project    = {{project}}
  account_id = {{name}}
}

# Who may become the service account.
resource "google_service_account_iam_member" "{{label}}" {
  for_each           = toset({{members}})
  service_account_id = google_service_account.{{label}}.name
  role               = "roles/iam.workloadIdentityUser"
  member             = format(each.value, google_iam_workload_identity_pool.{{label}}.name)
}

# The most that a workload can get. Each token is narrowed to what its destination and Cloakroom's policy permit. For that the
# bucket has to have uniform bucket-level access; where it is switched on, access lists of single objects no longer count.
resource "google_storage_bucket_iam_member" "{{label}}" {
  for_each = toset({{roles}})
  bucket   = {{bucket}}
  role     = each.value
  member   = google_service_account.{{label}}.member
}

output "{{label}}_provider" {
  value = "//iam.googleapis.com/${google_iam_workload_identity_pool_provider.{{label}}.name}"
}

output "{{label}}_service_account" {
  value = google_service_account.{{label}}.email
}
