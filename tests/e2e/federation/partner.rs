//! A partner's API gets a token of its own server, for the workload as `sub`.

use harness::{
    Result,
    federation::oauth::{Partner, READ},
    topology::cloud_routes::CloudRoute,
};
use http::Method;
use serde_json::json;

use super::matrix::{Attempt, Destination, seen_by};

#[tokio::test(flavor = "multi_thread")]
async fn from_everywhere_to_one_api() -> Result<()> {
    let route = CloudRoute::partner_api();
    let next_door = route.led_astray("partner-next-door", Partner::NEXT_DOOR.trim_start_matches("https://"));
    Destination {
        route,
        astray: vec![next_door],
        service: "api",
        attempts: vec![
            Attempt::get("/partner-api/q3"),
            Attempt::get("/partner-next-door/q3").refused(401, "invalid_token"),
            Attempt::send(Method::POST, "/partner-api/q3", &[], "x").refused(403, "insufficient_scope"),
            Attempt::delete("/partner-api/q3").refused(403, "insufficient_scope"),
        ],
        credential: |seen| seen.header("authorization").to_owned(),
        check_person: |seen, caller| {
            assert_eq!(seen.principal, caller.name);
            assert_eq!(seen.facts["scope"], READ);
        },
        check_orders: |seen, caller| {
            let orders = seen_by(seen.to_vec(), "partner");
            let orders: Vec<_> = orders.iter().filter(|order| order.principal == caller.name).collect();
            assert_eq!(orders.len(), 1, "orders for {}", caller.name);
            let form: Vec<_> = form_urlencoded::parse(orders[0].body.as_bytes()).collect();
            let value = |name: &str| form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_ref());
            assert_eq!((value("scope"), value("resource")), (Some(READ), Some(Partner::API)));
            let claims = &orders[0].facts["assertion"];
            assert_eq!(
                (&claims["iss"], &claims["aud"]),
                (&json!("https://sts.cloakroom.test"), &json!(Partner::SERVER))
            );
            claims["jti"].as_str().map(str::to_owned)
        },
        reference: |_| None,
    }
    .call_from_everywhere()
    .await
}
