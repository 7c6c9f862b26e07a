//! How we show a server who asks: credentials in files, which may be replaced at any time.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use thiserror::Error;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

/// The longest credential, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// A credential of ours. It holds the file's name, never what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The token in a file (RFC 6750, section 2.1).
    Bearer { file: PathBuf },
    /// A client's id and the secret in a file (RFC 6749, section 2.3.1).
    Basic { client_id: String, secret_file: PathBuf },
}

/// Why a credential cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("our credential in {file} cannot be used: {problem}")]
pub struct CredentialError {
    file: String,
    problem: String,
}

impl Credential {
    /// The file it is read from.
    pub fn file(&self) -> &Path {
        match self {
            Self::Bearer { file } | Self::Basic { secret_file: file, .. } => file,
        }
    }

    /// The value of `Authorization`. The file is read each time: what replaces it counts at once.
    pub async fn authorization(&self) -> Result<HeaderValue, CredentialError> {
        let content = read(self.file()).await.map_err(|error| self.unusable(error.to_string()))?;
        let secret = trimmed(&content).map_err(|problem| self.unusable(problem.to_owned()))?;
        let value = match self {
            Self::Bearer { .. } => Zeroizing::new(format!("Bearer {secret}")),
            // The two are form-encoded first, so that neither can hold the colon that divides them.
            Self::Basic { client_id, .. } => {
                let pair = Zeroizing::new(format!("{}:{}", encoded(client_id).as_str(), encoded(secret).as_str()));
                Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
            }
        };
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| self.unusable("it does not fit in a header".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn unusable(&self, problem: String) -> CredentialError {
        CredentialError { file: self.file().display().to_string(), problem }
    }
}

async fn read(file: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::new());
    let limit = u64::try_from(MAX_LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    tokio::fs::File::open(file).await?.take(limit).read_to_end(&mut content).await?;
    Ok(content)
}

/// The credential in a file's content: without the blanks around it, which editors and `echo` leave.
pub fn trimmed(content: &[u8]) -> Result<&str, &'static str> {
    if content.len() > MAX_LENGTH {
        return Err("it is longer than 16 KiB");
    }
    let secret = content.trim_ascii();
    if secret.is_empty() {
        return Err("it is empty");
    }
    let printable = secret.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    std::str::from_utf8(secret).ok().filter(|_| printable).ok_or("it is not one line of printable ASCII")
}

fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(credential: &Credential) -> Result<String, CredentialError> {
        let value = credential.authorization().await?;
        assert!(value.is_sensitive());
        Ok(value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_file_is_read_anew_each_time_and_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let credential = Credential::Bearer { file: file.clone() };
        std::fs::write(&file, "first\n").unwrap();
        assert_eq!(shown(&credential).await.unwrap(), "Bearer first");
        std::fs::write(&file, "second").unwrap();
        assert_eq!(shown(&credential).await.unwrap(), "Bearer second");
    }

    #[tokio::test]
    async fn id_and_secret_are_form_encoded_before_they_are_joined() {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, "p:ss w%rd+\n").unwrap();
        let credential = Credential::Basic { client_id: "a:b c".into(), secret_file };
        let shown = shown(&credential).await.unwrap();
        let pair = STANDARD.decode(shown.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "a%3Ab+c:p%3Ass+w%25rd%2B");
    }

    #[tokio::test]
    async fn what_cannot_be_a_credential_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let credential = Credential::Bearer { file: file.clone() };
        assert!(shown(&credential).await.unwrap_err().to_string().contains("token"), "no file");
        let long = "s3cret".repeat(4096);
        for content in ["", " \n", "s3cret\nX-Other: 1", "s3cret\u{e9}", &long] {
            std::fs::write(&file, content).unwrap();
            let error = shown(&credential).await.unwrap_err().to_string();
            assert!(error.contains("cannot be used") && !error.contains("s3cret"), "{error}");
        }
    }
}
