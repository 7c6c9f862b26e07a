//! What to try while the demo is up: lines to copy as they are.

use crate::topology::Topology;

/// The lines.
pub fn text(topology: &Topology) -> String {
    let ca = topology.pki.ca().display().to_string();
    let (cert, key) = (topology.pki.certificate("probe"), topology.pki.key("probe"));
    let (cert, key) = (cert.display(), key.display());
    let clouds = topology.cloud_url("");
    let edge = topology.url("");
    let record = topology.upstream_url("/__record");
    let (sts, operations) = (topology.sts.url(), topology.sts.operations("/metrics"));
    format!(
        r#"All of it is up. Things to try, in another terminal:

# a native token, as AWS would give it to a workload, and a call with it: the service names workload and proxy
TOKEN=$(curl -s --cacert {ca} {clouds}/aws/token)
curl -i -H "Authorization: Bearer $TOKEN" {edge}/gcp-reports/2026/q3

# what the service received: no native token, and nobody can forge the names
curl -s -H "Authorization: Bearer $TOKEN" -H "x-cloakroom-subject: root" {edge}/gcp-reports/2026/q3
curl -s {record}

# the grant is for GET and HEAD: refused at the edge, by the constraint that came with the cached token
curl -i -X POST -d x -H "Authorization: Bearer $TOKEN" {edge}/gcp-reports/2026/q3

# a token for somebody else, and one that has expired: the answer says which claim, what it held and what was wanted
curl -i -H "Authorization: Bearer $(curl -s --cacert {ca} '{clouds}/aws/token?audience=https://else.example')" {edge}/gcp-reports/x
curl -i -H "Authorization: Bearer $(curl -s --cacert {ca} '{clouds}/aws/token?expires_in=-60')" {edge}/gcp-reports/x

# the issuer changes its keys: calls go on
curl -s -X POST --cacert {ca} {clouds}/aws/rotate
curl -i -H "Authorization: Bearer $(curl -s --cacert {ca} {clouds}/aws/token)" {edge}/gcp-reports/2026/q3

# what the filter asks, asked by hand as a registered proxy
curl -s --cacert {ca} --cert {cert} --key {key} {sts}/oauth2/token \
  --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
  --data-urlencode subject_token=$TOKEN --data-urlencode subject_token_type=urn:ietf:params:oauth:token-type:jwt \
  --data-urlencode resource=https://reports.gcp.cloakroom.test --data-urlencode scope=reports.read

# the STS's metrics, and the filter's in Envoy's own
curl -s {operations} | grep cloakroom_exchanges
curl -s --unix-socket {folder}/run/egress-admin.sock 'http://edge/stats/prometheus?filter=cloakroom'

Ctrl-C ends everything and leaves nothing behind."#,
        folder = topology.folder().display(),
    )
}
