//! Bodies that are read to be signed.

use super::*;

const FLAG: &str = "/http_filters/0/typed_config/config/allow_on_headers_stop_iteration";
const BUFFER: &str = "/static_resources/listeners/0/per_connection_buffer_limit_bytes";

/// The good bootstrap with a route whose bodies are read, up to so many bytes.
fn reading(max_body_bytes: u64) -> Value {
    let mut document = good();
    configure(&mut document, |plugin| {
        plugin["reads_bodies"] = json!(true);
        plugin["routes"]["gcp-reports"]["exchange"]["inject"] = json!({"sigv4": {
            "service": "dynamodb", "region": "eu-central-1", "payload": "hash", "max_body_bytes": max_body_bytes,
            "host": "reports.gcp.cloakroom.test",
        }});
    });
    set(&mut document, &format!("{MANAGER_AT}{FLAG}"), json!(true));
    document
}

#[test]
fn the_flag_and_the_configuration_say_the_same() {
    assert_eq!(finding::lines(&findings(&reading(1000))), "");
    for flag in [Value::Null, json!(false), json!({"value": false})] {
        let mut document = reading(1000);
        set(&mut document, &format!("{MANAGER_AT}{FLAG}"), flag);
        one(findings(&document), "config.allow_on_headers_stop_iteration", "no body that is to be signed");
    }
    for flag in [json!(true), json!("true"), json!({"value": true})] {
        one(manager_with(FLAG, flag), "config.allow_on_headers_stop_iteration", "native token");
    }
    let found = plugin_with(|plugin| plugin["reads_bodies"] = json!(true));
    one(found, "config.allow_on_headers_stop_iteration", "`reads_bodies`");
    let mut document = good();
    set(&mut document, &format!("{MANAGER_AT}{PLUGIN}/allowOnHeadersStopIteration"), json!(true));
    one(findings(&document), "config.allowOnHeadersStopIteration", "native token");
}

#[test]
fn the_listener_holds_a_body_that_is_read() {
    let with = |bytes: u64, limit: Value| {
        let mut document = reading(bytes);
        set(&mut document, BUFFER, limit);
        findings(&document)
    };
    for limit in [json!(5000), json!("5000"), json!(8000)] {
        assert_eq!(finding::lines(&with(5000, limit)), "");
    }
    for limit in [json!(4999), json!("4999"), json!("many"), json!(-1)] {
        one(with(5000, limit), "listeners[0].per_connection_buffer_limit_bytes", "5000 or more");
    }
    assert!(with(1 << 20, Value::Null).is_empty(), "1 MiB is what Envoy takes for nothing");
    one(with((1 << 20) + 1, Value::Null), "per_connection_buffer_limit_bytes", "which means 1 MiB");
    let mut document = good();
    set(&mut document, BUFFER, json!(1));
    assert!(findings(&document).is_empty(), "nobody reads bodies");
}
