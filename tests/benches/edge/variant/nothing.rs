//! WASM that decides nothing, made from text: what entering a VM costs, or the calls of a hit, and nothing else.
//!
//! Doing nothing leaves no trace, so it counts, and tells Envoy each time it has counted a thousand.

use std::{fmt::Write, path::Path};

use harness::Result;
use serde_json::{Value, json};

use super::calls;

/// The counter in Envoy. Right after every thousandth request.
pub const COUNTER: &str = "wasmcustom.bench_requests";

/// What a module lets Envoy call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exports {
    /// Request headers.
    One,
    /// All that a module of the Rust SDK exports.
    Sdk,
    /// Those of a hit, which make its calls.
    Calls,
}

/// Callbacks of ABI 0.2.1 beside those in [`MODULE`]: name, number of parameters, what is returned, if anything.
const SDK: &[(&str, usize, Option<u32>)] = &[
    ("proxy_on_vm_start", 2, Some(1)),
    ("proxy_on_context_create", 2, None),
    ("proxy_on_tick", 1, None),
    ("proxy_on_queue_ready", 2, None),
    ("proxy_on_new_connection", 1, Some(0)),
    ("proxy_on_downstream_data", 3, Some(0)),
    ("proxy_on_downstream_connection_close", 2, None),
    ("proxy_on_upstream_data", 3, Some(0)),
    ("proxy_on_upstream_connection_close", 2, None),
    ("proxy_on_request_body", 3, Some(0)),
    ("proxy_on_request_trailers", 2, Some(0)),
    ("proxy_on_response_headers", 3, Some(0)),
    ("proxy_on_response_body", 3, Some(0)),
    ("proxy_on_response_trailers", 2, Some(0)),
    ("proxy_on_http_call_response", 5, None),
    ("proxy_on_grpc_receive_initial_metadata", 3, None),
    ("proxy_on_grpc_receive", 3, None),
    ("proxy_on_grpc_receive_trailing_metadata", 3, None),
    ("proxy_on_grpc_close", 3, None),
    ("proxy_on_foreign_function", 3, None),
    ("proxy_on_done", 1, Some(1)),
    ("proxy_on_log", 1, None),
    ("proxy_on_delete", 1, None),
];

const IMPORTS: &str = r#"
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
"#;

/// Room for answers of the host where there are none to keep.
const ROOM: &str =
    r#"(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)) (func $work)"#;

const MODULE: &str = r#"
  (memory (export "memory") 1)
  (data (i32.const 16) "bench_requests")
  (global $counted (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.eqz (call $define (i32.const 0) (i32.const 16) (i32.const 14) (i32.const 0))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $work)
    (global.set $counted (i32.add (global.get $counted) (i32.const 1)))
    (if (i32.eq (global.get $counted) (i32.const 1000)) (then
      (global.set $counted (i32.const 0))
      (drop (call $increment (i32.load (i32.const 0)) (i64.const 1000)))))
    (i32.const 0))
"#;

/// Writes the module and configures it.
pub fn filter(exports: Exports, folder: &Path) -> Result<Value> {
    let name = match exports {
        Exports::One => "nothing",
        Exports::Sdk => "nothing-sdk",
        Exports::Calls => "calls",
    };
    let path = folder.join(format!("{name}.wasm"));
    std::fs::write(&path, module(exports)?)?;
    Ok(json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "failure_policy": "FAIL_CLOSED",
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": path}}
                }
            }
        }
    }))
}

fn module(exports: Exports) -> Result<Vec<u8>> {
    let (imports, own) = match exports {
        Exports::Calls => (calls::IMPORTS, calls::text()?),
        Exports::One | Exports::Sdk => ("", ROOM.to_owned()),
    };
    let mut text = format!("(module {IMPORTS}{imports}{MODULE}{own}");
    if exports == Exports::Sdk {
        for (name, parameters, result) in SDK {
            let (kind, value) = match result {
                Some(value) => ("(result i32)", format!("(i32.const {value})")),
                None => ("", String::new()),
            };
            let parameters = " i32".repeat(*parameters);
            write!(text, "(func (export \"{name}\") (param{parameters}) {kind} {value})")?;
        }
    }
    text.push(')');
    Ok(wat::parse_str(&text)?)
}
