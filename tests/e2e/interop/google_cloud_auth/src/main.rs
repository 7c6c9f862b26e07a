//! Google's Rust client, as it comes from the crate registry, with a credential file that names our STS: says what it got.

use google_cloud_auth::credentials::external_account::Builder;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let said = match token().await {
        Ok(token) => json!({ "token": token }),
        Err(error) => json!({ "error": chain(&*error) }),
    };
    println!("{said}");
}

async fn token() -> Result<String, Box<dyn std::error::Error>> {
    let settings = std::env::args().nth(1).ok_or("no credential file")?;
    let settings: Value = serde_json::from_str(&settings)?;
    let credentials = Builder::new(settings).with_scopes(["reports.read"]).build_access_token_credentials()?;
    Ok(credentials.access_token().await?.token)
}

/// The whole story: the client's first line says only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
