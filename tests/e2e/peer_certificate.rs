//! A workload that holds no token and speaks mTLS to the edge: its certificate says who it is, and the edge vouches for that.

use std::fs;

use harness::{
    Result,
    client::{Answer, Client},
    pki::WORKLOAD,
    topology::{Plan, Topology},
};
use serde_json::{Value, json};

pub const POLICY: &str = r#"
@id("egress-speaks-for-the-mesh")
permit (
  principal == Cloakroom::Proxy::"spiffe://cloakroom.test/edge/egress",
  action == Cloakroom::Action::"act_for",
  resource is Cloakroom::Workload
);

@id("the-mesh-reads-reports")
@ttl("60s")
@scope("reports.read")
permit (
  principal is Cloakroom::Workload,
  action == Cloakroom::Action::"exchange",
  resource == Cloakroom::Target::"https://reports.gcp.cloakroom.test"
) when {
  principal.platform == "spiffe" &&
  principal has asserted_by &&
  principal.asserted_by == "spiffe://cloakroom.test/edge/egress"
};
"#;

/// The egress edge with TLS, and one route that knows workloads by their certificates.
pub fn mesh() -> Plan {
    Plan::default()
        .policy(POLICY)
        .egress(|bootstrap| {
            bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] = json!({
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                    "require_client_certificate": true,
                    "common_tls_context": {
                        "tls_certificates": [{
                            "certificate_chain": {"filename": "/etc/cloakroom/https-app.crt"},
                            "private_key": {"filename": "/etc/cloakroom/https-app.key"}
                        }],
                        "validation_context": {"trusted_ca": {"filename": "/etc/cloakroom/ca.crt"}}
                    }
                }
            });
        })
        .plugin(|plugin| plugin["routes"]["gcp-reports"]["exchange"]["subject"] = json!("peer_certificate"))
        .sts(|sts| {
            sts["actors"][0]["vouches_for"] = json!([{
                "trust_domain": "mesh.cloakroom.test",
                "bundle_file": "ca.crt",
                "subjects": ["spiffe://mesh.cloakroom.test/ns/payments/*"]
            }]);
        })
}

pub async fn call(topology: &Topology, party: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let hosts = [("reports.gcp.cloakroom.test", topology.egress.address())];
    let client = Client::with_hosts(&topology.pki, Some(party), &hosts)?;
    client.get("https://reports.gcp.cloakroom.test/gcp-reports/q3", headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_named_by_its_certificate_and_its_grants_are_marked() -> Result<()> {
    let topology = mesh().start().await?;
    for _ in 0..2 {
        let answer = call(&topology, "workload", &[]).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()?["subject"], WORKLOAD);
    }
    assert_eq!(topology.sts.exchanges().await?, 1, "the second call is a hit");
    // What the STS gives the edge for it, asked in the edge's name.
    let certificate = fs::read_to_string(topology.pki.certificate("workload"))?;
    let client = Client::with_certificate(&topology.pki, "egress")?;
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", certificate.as_str()),
        ("subject_token_type", "urn:cloakroom:params:oauth:token-type:peer-certificate"),
        ("resource", "https://reports.gcp.cloakroom.test"),
    ];
    let answer = client.post_form(&format!("{}/oauth2/token", topology.sts.url()), &form).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json()?;
    let token = body["access_token"].as_str().ok_or("no token")?;
    let payload = token::base64url::decode(token.split('.').nth(1).ok_or("no JWT")?)?;
    let claims: Value = serde_json::from_slice(&payload)?;
    assert_eq!(claims["sub"], WORKLOAD);
    assert_eq!(claims["asserted_by"], "spiffe://cloakroom.test/edge/egress");
    assert_eq!(claims["act"]["sub"], "spiffe://cloakroom.test/edge/egress");
    // Nobody can vouch for himself, and no other proxy for it.
    let direct = format!("{}/oauth2/token", topology.sts.no_client_certificate_url());
    assert_eq!(topology.client.post_form(&direct, &form).await?.json()?["reason"], "actor_not_permitted");
    let probe = Client::with_certificate(&topology.pki, "probe")?;
    let answer = probe.post_form(&format!("{}/oauth2/token", topology.sts.url()), &form).await?;
    assert_eq!(answer.json()?["reason"], "subject_issuer_unknown", "{}", answer.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_it_sends_besides_goes_nowhere() -> Result<()> {
    let topology = mesh().start().await?;
    topology.remember("stolen-native-token-0123456789");
    let answer = call(&topology, "workload", &[("authorization", "Bearer stolen-native-token-0123456789")]).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()?["subject"], WORKLOAD);
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_vouches_for_nobody_else() -> Result<()> {
    let topology = mesh().start().await?;
    let refused = async |party| {
        let answer = call(&topology, party, &[]).await?;
        Ok::<_, harness::Error>((answer.status.as_u16(), answer.json()?["reason"].clone()))
    };
    assert_eq!(refused("other-workload").await?, (403, json!("actor_not_permitted")));
    // A proxy's own certificate names no workload of the mesh.
    assert_eq!(refused("probe").await?, (401, json!("subject_issuer_unknown")));
    assert_eq!(refused("nameless").await?, (401, json!("subject_claim_mismatch")));
    assert_eq!(topology.recorded().await?.len(), 0);
    Ok(())
}
