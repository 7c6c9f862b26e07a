//! The roles of Cloud Storage, and which scopes let them be used.

/// What a role may do with objects. Nothing, if there is no such role.
pub fn permissions(role: &str) -> Option<&'static [&'static str]> {
    Some(match role {
        "roles/storage.objectViewer" => &[GET, LIST],
        "roles/storage.legacyObjectReader" => &[GET],
        "roles/storage.legacyBucketReader" => &[LIST],
        "roles/storage.objectCreator" => &[CREATE],
        "roles/storage.legacyBucketWriter" => &[CREATE, DELETE, LIST],
        "roles/storage.objectUser" | "roles/storage.objectAdmin" | "roles/storage.admin" => {
            &[GET, LIST, CREATE, DELETE]
        }
        _ => return None,
    })
}

/// Whether a token with these scopes may be used for it.
pub fn is_in_scope(scopes: &[String], permission: &str) -> bool {
    let reads = [GET, LIST].contains(&permission);
    scopes.iter().any(|scope| match scope.strip_prefix("https://www.googleapis.com/auth/") {
        Some("cloud-platform" | "devstorage.full_control" | "devstorage.read_write") => true,
        Some("devstorage.read_only" | "cloud-platform.read-only") => reads,
        _ => false,
    })
}

pub const GET: &str = "storage.objects.get";
pub const LIST: &str = "storage.objects.list";
pub const CREATE: &str = "storage.objects.create";
pub const DELETE: &str = "storage.objects.delete";
