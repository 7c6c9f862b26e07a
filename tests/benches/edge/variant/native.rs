//! Filters that Envoy brings.

use std::{fmt::Write, path::Path};

use harness::Result;
use serde_json::{Value, json};

use crate::credential::{AUDIENCE, ISSUER, Tokens, issued};

/// One token for all, from a secret in the bootstrap.
pub fn credential_injector() -> Value {
    json!({
        "name": "envoy.filters.http.credential_injector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
            "overwrite": true,
            "credential": {
                "name": "envoy.http.injected_credentials.generic",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                    "credential": {"name": "credential"},
                    "header": "authorization"
                }
            }
        }
    })
}

/// Verifies the native token and removes it; its cache, where it has one, has room for all of them.
pub fn jwt_authn(tokens: &Tokens, cached: bool) -> Result<Value> {
    let jwks = tokens.jwks.as_ref().ok_or("these tokens have no keys")?;
    let mut provider = json!({
        "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": {"inline_string": jwks.to_string()}, "forward": false
    });
    if cached {
        provider["jwt_cache_config"] = json!({"jwt_cache_size": 2 * tokens.native.len(), "jwt_max_token_size": 4096});
    }
    Ok(json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"issuer": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}]
        }
    }))
}

/// The swap, by a table of all tokens that never changes: no expiry, no miss, no check of anything.
pub fn lua(tokens: &Tokens, folder: &Path) -> Result<Value> {
    let mut script = String::from("local issued = {}\n");
    for (number, native) in tokens.native.iter().enumerate() {
        writeln!(script, "issued[\"Bearer {native}\"] = \"Bearer {}\"", issued(number)?)?;
    }
    script.push_str(
        "function envoy_on_request(handle)\n\
         local headers = handle:headers()\n\
         local swapped = issued[headers:get(\"authorization\")]\n\
         if swapped then headers:replace(\"authorization\", swapped) else headers:remove(\"authorization\") end\n\
         end\n",
    );
    let path = folder.join("swap.lua");
    std::fs::write(&path, script)?;
    Ok(json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"filename": path}
        }
    }))
}

pub fn ext_authz() -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "authorization"}, "timeout": "5s"}
        }
    })
}

/// Request headers only, the least it can be asked for.
pub fn ext_proc() -> Value {
    json!({
        "name": "envoy.filters.http.ext_proc",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "processor"}, "timeout": "5s"},
            "message_timeout": "5s",
            "processing_mode": {
                "request_header_mode": "SEND", "response_header_mode": "SKIP",
                "request_body_mode": "NONE", "response_body_mode": "NONE",
                "request_trailer_mode": "SKIP", "response_trailer_mode": "SKIP"
            }
        }
    })
}
