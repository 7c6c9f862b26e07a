//! Files for tests: the shipped example configuration with certificates and keys made for the occasion.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use tempfile::TempDir;

use crate::{
    app::App,
    audit::Audit,
    clock,
    config::Config,
    finding,
    identity::fake_issuer::FakeIssuer,
    keys::SigningKeys,
    serve::put_together,
    store::{EmbeddedStore, Store},
};

/// The example as it is shipped.
pub const EXAMPLE: &str = include_str!("../cloakroom.yaml");

/// The policies the example names.
pub const POLICY: &str = include_str!("../policy/example.cedar");

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both as PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A leaf with the given URI names, for `localhost` and 127.0.0.1.
    pub fn issue(&self, uris: &[&str]) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A folder with everything the example configuration names.
pub struct Fixture {
    folder: TempDir,
    pub authority: Authority,
}

impl Fixture {
    pub fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() };
        let sts = fixture.authority.issue(&["spiffe://cloakroom.test/sts"]);
        fixture.write("tls/ca.crt", fixture.authority.pem());
        fixture.write("tls/sts.crt", sts.certificate);
        fixture.write("tls/sts.key", sts.key);
        fixture.write("tls/kek.bin", (0..32).collect::<Vec<u8>>());
        fixture.write("policy/example.cedar", POLICY);
        fixture.write("cloakroom.yaml", EXAMPLE);
        fixture
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("cloakroom.yaml")
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Replaces `from`, which must be there, in the configuration.
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "the configuration has no `{from}`");
        self.write("cloakroom.yaml", text.replacen(from, to, 1));
    }

    /// Leaves one source, whose keys can be had from nobody: nothing of a test leaves this machine.
    pub fn without_network(self) -> Self {
        self.with_source(
            "{ kubernetes: { issuer: \"https://cluster.test\", cluster: test } }",
            "{ uri: \"https://127.0.0.1:1/jwks\", allow_private_addresses: true }",
        )
    }

    /// Leaves one source, `https://issuer.test`, whose keys `issuer` publishes at `/jwks`.
    pub fn with_issuer(self, issuer: &FakeIssuer) -> Self {
        self.write("tls/issuer.crt", &issuer.ca_pem);
        let uri = format!("{}/jwks", issuer.url);
        self.with_source(
            "{ oidc: { issuer: \"https://issuer.test\", algorithms: [ES256] } }",
            &format!("{{ uri: \"{uri}\", ca_file: tls/issuer.crt, allow_private_addresses: true }}"),
        )
    }

    fn with_source(self, preset: &str, jwks: &str) -> Self {
        let (before, rest) = EXAMPLE.split_once("\nsources:").unwrap();
        let (_, after) = rest.split_once("\ntargets:").unwrap();
        let source = format!(
            "sources:\n  - name: only\n    audience: https://sts.cloakroom.test\n    preset: {preset}\n    jwks: {jwks}\n"
        );
        self.write("cloakroom.yaml", format!("{before}\n{source}\ntargets:{after}"));
        self
    }

    /// The configuration, which must be fine.
    pub fn load(&self) -> Config {
        Config::load(&self.config()).map_err(|found| finding::lines(&found)).unwrap()
    }

    /// A service that runs this configuration, with a store in the folder.
    pub async fn service(&self) -> Service {
        let config = self.load();
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(&config.store).unwrap());
        let now = clock::now();
        let keys = SigningKeys::load_or_create(store.as_ref(), &config.encryption_key, now).await.unwrap();
        let (keys, audit) = (Arc::new(keys), Audit::new(Arc::clone(&store)));
        let in_force = put_together(config, &keys, &audit, None).unwrap();
        Service { app: Arc::new(App::new(in_force, keys, store, clock::now)), audit }
    }
}

/// A service without listeners.
pub struct Service {
    pub app: Arc<App>,
    pub audit: Audit,
}
