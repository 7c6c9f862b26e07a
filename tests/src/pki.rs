//! A certificate authority and everybody's certificates, made anew for each run.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::Result;

/// The trust domain of every name here.
pub const TRUST_DOMAIN: &str = "cloakroom.test";

/// A workload that shows a certificate and holds no token.
pub const WORKLOAD: &str = "spiffe://mesh.cloakroom.test/ns/payments/sa/api";

/// A folder with `ca.crt`, one `NAME.crt` and `NAME.key` per party, and `kek.bin`. Keys are readable by their owner only.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

/// Who gets a certificate, and for which names.
struct Party {
    name: &'static str,
    uri: Option<&'static str>,
    dns: &'static [&'static str],
    loopback: bool,
}

/// The names under which the destinations are called.
const DESTINATIONS: &[&str] =
    &["reports.gcp.cloakroom.test", "orders.aws.cloakroom.test", "ledger.azure.cloakroom.test"];

/// The destinations' clouds, by the names that they have for the world.
const AWS: &[&str] = &[
    "localhost",
    "sts.eu-central-1.amazonaws.com",
    "s3.eu-central-1.amazonaws.com",
    "*.s3.eu-central-1.amazonaws.com",
    "dynamodb.eu-central-1.amazonaws.com",
    "sqs.eu-central-1.amazonaws.com",
];
const GCP: &[&str] =
    &["localhost", "sts.googleapis.com", "iamcredentials.googleapis.com", "storage.googleapis.com", "*.a.run.app"];
const AZURE: &[&str] = &["localhost", "login.microsoftonline.com", "*.blob.core.windows.net"];
const PARTNER: &[&str] =
    &["localhost", "as.home.example", "as.partner.example", "api.partner.example", "other.partner.example"];

const PARTIES: &[Party] = &[
    Party {
        name: "sts",
        uri: Some("spiffe://cloakroom.test/sts"),
        dns: &["sts.cloakroom.test", "localhost", "sts"],
        loopback: true,
    },
    Party { name: "egress", uri: Some("spiffe://cloakroom.test/edge/egress"), dns: &[], loopback: false },
    Party {
        name: "destination",
        uri: Some("spiffe://cloakroom.test/edge/destination"),
        dns: DESTINATIONS,
        loopback: false,
    },
    // A second registered proxy, for scripts and tests that ask the STS themselves.
    Party { name: "probe", uri: Some("spiffe://cloakroom.test/edge/probe"), dns: &[], loopback: false },
    // Of the right CA, but registered nowhere.
    Party { name: "stranger", uri: Some("spiffe://cloakroom.test/edge/stranger"), dns: &[], loopback: false },
    // Of the right CA, but with no SPIFFE ID at all.
    Party { name: "nameless", uri: None, dns: &["nameless.cloakroom.test"], loopback: false },
    // Workloads of a mesh, which hold no token: one that an edge may vouch for, one that it may not, both of the same CA.
    Party { name: "workload", uri: Some(WORKLOAD), dns: &[], loopback: false },
    Party {
        name: "other-workload",
        uri: Some("spiffe://mesh.cloakroom.test/ns/other/sa/x"),
        dns: &[],
        loopback: false,
    },
    Party { name: "clouds", uri: None, dns: &["localhost", "clouds"], loopback: true },
    Party { name: "aws", uri: None, dns: AWS, loopback: true },
    Party { name: "gcp", uri: None, dns: GCP, loopback: true },
    Party { name: "azure", uri: None, dns: AZURE, loopback: true },
    Party { name: "partner", uri: None, dns: PARTNER, loopback: true },
    // What an edge shows to an app of its own host that only speaks https.
    Party { name: "https-app", uri: None, dns: DESTINATIONS, loopback: false },
];

impl Pki {
    /// Makes a CA and all certificates in `folder`.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let pki = Self { folder: folder.into() };
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Cloakroom test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        write_private(&pki.ca(), ca.pem().as_bytes())?;
        for party in PARTIES {
            let key = KeyPair::generate()?;
            let certificate = party.params()?.signed_by(&key, &ca)?;
            write_private(&pki.certificate(party.name), certificate.pem().as_bytes())?;
            write_private(&pki.key(party.name), key.serialize_pem().as_bytes())?;
        }
        let mut kek = [0; 32];
        aws_lc_rs::rand::fill(&mut kek)?;
        write_private(&folder.join("kek.bin"), &kek)?;
        Ok(pki)
    }

    /// Certificates made before.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The CA's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A party's certificate.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.crt"))
    }

    /// A party's private key.
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }
}

impl Party {
    fn params(&self) -> Result<CertificateParams> {
        let mut params = CertificateParams::new(self.dns.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, self.name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        if let Some(uri) = self.uri {
            params.subject_alt_names.push(SanType::URI(uri.try_into()?));
        }
        if self.loopback {
            params.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        }
        Ok(params)
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}
