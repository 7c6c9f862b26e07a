//! A workload behind a gateway that ends its TLS: the edge believes what that one hop tells of its certificate.

use std::fs;

use harness::{
    Result,
    pki::WORKLOAD,
    topology::{Plan, Topology},
};
use serde_json::json;

use crate::peer_certificate::{call, mesh};

/// The party that is the hop.
const HOP: &str = "probe";
const XFCC: &str = "x-forwarded-client-cert";

/// The edge of a mesh, with the hop in front of it.
fn behind_a_hop() -> Plan {
    mesh()
        .egress(|bootstrap| {
            let chain = &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0];
            chain["filters"][0]["typed_config"]["forward_client_cert_details"] = json!("FORWARD_ONLY");
        })
        // By default Envoy removes the header here, and nothing would be seen of one that the first edge let through.
        .destination(|bootstrap| {
            let chain = &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0];
            chain["filters"][0]["typed_config"]["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
        })
        .plugin(|plugin| {
            plugin["routes"]["gcp-reports"]["exchange"]["subject"] =
                json!({"forwarded_certificate": {"hop": "spiffe://cloakroom.test/edge/probe"}});
        })
}

/// What the hop would write of the client with the certificate of `party`.
fn element(topology: &Topology, party: &str) -> Result<String> {
    let pem = fs::read_to_string(topology.pki.certificate(party))?;
    let encoded: String = form_urlencoded::byte_serialize(pem.as_bytes()).collect();
    // As in a URI, where a space is no `+`.
    let encoded = encoded.replace('+', "%20");
    Ok(format!("By=spiffe://cloakroom.test/edge/probe;Hash=00;Cert=\"{encoded}\";Subject=\"CN=a,O=\\\"b\\\"\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_named_by_what_the_hop_tells_and_nobody_behind_the_edge_is_told() -> Result<()> {
    let topology = behind_a_hop().start().await?;
    let xfcc = element(&topology, "workload")?;
    for _ in 0..2 {
        let answer = call(&topology, HOP, &[(XFCC, &xfcc)]).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()?["subject"], WORKLOAD);
    }
    assert_eq!(topology.sts.exchanges().await?, 1, "the second call is a hit");
    let recorded = topology.recorded().await?;
    assert_eq!(recorded.len(), 2);
    assert!(recorded.iter().all(|request| request.header(XFCC).is_empty()), "it reached the destination");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_from_the_hop_only_and_only_once() -> Result<()> {
    let topology = behind_a_hop().start().await?;
    let (workload, other) = (element(&topology, "workload")?, element(&topology, "other-workload")?);
    let refused = async |party: &str, headers: &[(&str, &str)]| {
        let answer = call(&topology, party, headers).await?;
        assert!(!answer.text().contains("CERTIFICATE"), "{}", answer.text());
        Ok::<_, harness::Error>((answer.status.as_u16(), answer.json()?["reason"].clone()))
    };
    // Warm: what is held for the workload is for nobody else either.
    assert_eq!(call(&topology, HOP, &[(XFCC, &workload)]).await?.status, 200);
    for stranger in ["egress", "nameless", "workload", "other-workload"] {
        let got = refused(stranger, &[(XFCC, &workload)]).await?;
        assert_eq!(got, (401, json!("subject_token_missing")), "{stranger}");
    }
    let two = format!("{workload},{workload}");
    assert_eq!(refused(HOP, &[(XFCC, &two)]).await?, (401, json!("subject_token_duplicated")));
    let lines = [(XFCC, workload.as_str()), (XFCC, workload.as_str())];
    assert_eq!(refused(HOP, &lines).await?, (401, json!("subject_token_duplicated")));
    assert_eq!(refused(HOP, &[(XFCC, "By=a;Hash=00")]).await?, (401, json!("subject_token_missing")));
    assert_eq!(refused(HOP, &[(XFCC, "Cert=\"a%0A")]).await?, (401, json!("subject_token_malformed")));
    // The hop itself is no workload, and the STS still says for whom the edge may vouch.
    assert_eq!(refused(HOP, &[]).await?, (401, json!("subject_token_missing")));
    assert_eq!(refused(HOP, &[(XFCC, &other)]).await?, (403, json!("actor_not_permitted")));
    assert_eq!(topology.recorded().await?.len(), 1);
    Ok(())
}
