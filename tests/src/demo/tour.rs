//! What to try while the demo is up: lines to copy as they are.

/// The lines. Every name in them is set by `env.sh`, which [`super::shell`] writes.
pub const TEXT: &str = r#"All of it is up. In another terminal, from the same folder:

. target/demo/env.sh

# a native token, as AWS would give it to a workload, and a call with it: the service names workload and proxy
TOKEN=$(aws_token)
curl -i -H "Authorization: Bearer $TOKEN" $GCP_REPORTS/2026/q3

# what the service received: no native token, and nobody can forge the names
curl -s -H "Authorization: Bearer $TOKEN" -H "x-cloakroom-subject: root" $GCP_REPORTS/2026/q3
curl -s $RECORD

# the grant is for GET and HEAD: refused at the edge, by the constraint that came with the cached token
curl -i -X POST -d x -H "Authorization: Bearer $TOKEN" $GCP_REPORTS/2026/q3

# a token for somebody else, and one that has expired: the answer says which claim, what it held and what was wanted
curl -i -H "Authorization: Bearer $(aws_token audience=https://else.example)" $GCP_REPORTS/x
curl -i -H "Authorization: Bearer $(aws_token expires_in=-60)" $GCP_REPORTS/x

# the issuer changes its keys: calls go on
curl -s -X POST $CLOUDS/aws/rotate
curl -i -H "Authorization: Bearer $(aws_token)" $GCP_REPORTS/2026/q3

# what an SDK does without a proxy: it exchanges its own token
curl -s $STS/oauth2/token -d subject_token=$TOKEN -d subject_token_type=urn:ietf:params:oauth:token-type:jwt \
  -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange -d resource=https://reports.gcp.cloakroom.test

# the STS's metrics, and the filter's in Envoy's own
curl -s $METRICS | grep cloakroom_exchanges
curl -s --unix-socket $EDGE_ADMIN 'http://edge/stats/prometheus?filter=cloakroom'

Ctrl-C ends everything and leaves nothing behind."#;
