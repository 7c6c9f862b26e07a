//! A route that puts in another kind of credential than its destination's provider gives is told so, and nobody is asked.

use harness::{
    Result,
    clouds::cloud::Cloud,
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use http::Method;
use serde_json::{Value, json};
use sts_backend::audit::leaf::Outcome;
use token::token_type::TokenType;

use super::matrix::{Attempt, Caller};
use crate::decisions;

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_the_provider_does_not_give_is_refused_before_it_is_asked() -> Result<()> {
    let right = CloudRoute::usual();
    let wrong = wrong_kinds(&right);
    assert_eq!(wrong.len(), 10, "five destinations, two wrong kinds each");
    let topology =
        Plan::default().clouds(None, cloud_routes::providers(), right).more_cloud_routes(wrong.clone()).start().await?;
    let caller = Caller::of(&topology, Cloud::Kubernetes).await?;
    for route in &wrong {
        let path = format!("/{}/reports", route.name).leak();
        let answer = caller.call(&topology, &Attempt::send(Method::GET, path, &[], "")).await?;
        let problem = answer.json()?;
        let reason = problem["reason"].as_str().unwrap_or_default();
        assert_eq!((answer.status.as_u16(), reason), (503, "token_type_unsupported"), "{path}: {problem}");
        let wanted = match route.provider.as_str() {
            "aws-prod" => TokenType::AwsKeys,
            "entra" => TokenType::AzureSas,
            _ if route.target.get("id_token_audience").is_some() => TokenType::IdToken,
            _ => TokenType::AccessToken,
        };
        assert!(problem["wanted"].as_str().is_some_and(|text| text.contains(wanted.urn())), "{path}: {problem}");
    }
    assert!(topology.federation()?.seen().is_empty(), "somebody was asked");
    let leaves = decisions::of(&topology).await?;
    assert_eq!(leaves.len(), wrong.len());
    for leaf in leaves {
        let code = leaf.reason.as_deref();
        assert_eq!((leaf.outcome, code, leaf.jti), (Outcome::Refused, Some("token_type_unsupported"), None));
    }
    Ok(())
}

/// Each destination with what the others take.
fn wrong_kinds(right: &[CloudRoute]) -> Vec<CloudRoute> {
    // Put in as a header, an access token is asked for.
    let kinds = [("header", Value::Null), ("sas", json!("azure_sas")), ("signed", CloudRoute::aws_bucket().inject)];
    let mut wrong = Vec::new();
    for route in right {
        for (kind, inject) in kinds.iter().filter(|(_, inject)| *inject != route.inject) {
            let other = CloudRoute { inject: inject.clone(), ..route.clone() };
            wrong.push(other.led_astray(&format!("{}-{kind}", route.name), &route.host));
        }
    }
    wrong
}
