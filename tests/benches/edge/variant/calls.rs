//! WASM that makes the calls of a hit and nothing else: all headers read, the route read, one header written, the status of
//! the answer read. What Cloakroom costs beyond it is Cloakroom's own code; what it costs itself is Envoy's.

use harness::Result;

use crate::credential::issued;

/// Where an answer of the host is put. Nothing is kept, so the next one may lie over it.
const ROOM: u32 = 8192;

/// The callbacks, for [`super::nothing`]'s module, with the header value they write.
pub fn text() -> Result<String> {
    let value = format!("Bearer {}", issued(0)?);
    let length = value.len();
    Ok(format!(
        r#"
  (data (i32.const 64) "authorization")
  (data (i32.const 80) "xds\00route_name")
  (data (i32.const 96) ":status")
  (data (i32.const 1024) "{value}")
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const {ROOM}))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func $work
    (drop (call $pairs (i32.const 0) (i32.const 4) (i32.const 8)))
    (drop (call $property (i32.const 80) (i32.const 14) (i32.const 4) (i32.const 8)))
    (drop (call $replace (i32.const 0) (i32.const 64) (i32.const 13) (i32.const 1024) (i32.const {length}))))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $value (i32.const 2) (i32.const 96) (i32.const 7) (i32.const 4) (i32.const 8)))
    (i32.const 0))
"#
    ))
}

/// The calls that [`text`] makes.
pub const IMPORTS: &str = r#"
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $value (param i32 i32 i32 i32 i32) (result i32)))
"#;
