//! The lines for shells, run by a shell in which the clouds' commands only note what they were given.

use std::process::Command;

use serde_json::Value;

use super::{FULL, in_format, printed_by, variations};

/// Notes every command with its arguments, each ended by a zero byte and all of them by an empty one.
const NOTING: &str = r#"
note() { for word; do printf '%s\0' "$word" >&3; done; printf '\0' >&3; echo noted; }
aws() { note aws "$@"; }
az() { note az "$@"; }
gcloud() { note gcloud "$@"; }
"#;

/// The commands that `script` runs, with what each was given.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let [file, notes] = ["script", "notes"].map(|name| folder.path().join(name));
    std::fs::write(&file, format!("exec 3>'{}'\n{NOTING}\n{script}\n", notes.display())).unwrap();
    let run = Command::new("sh").arg(&file).current_dir(&folder).output().unwrap();
    assert!(run.status.success(), "{}\n{script}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "it wrote a file\n{script}");
    let notes = String::from_utf8(std::fs::read(&notes).unwrap()).unwrap();
    let notes: Vec<_> = notes.split('\0').map(str::to_owned).collect();
    notes.split(String::is_empty).filter(|command| !command.is_empty()).map(<[String]>::to_vec).collect()
}

#[test]
fn all_lines_are_a_shell_s() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script");
    for line in variations() {
        std::fs::write(&file, in_format(&line, "cli")).unwrap();
        let run = Command::new("sh").arg("-n").arg(&file).output().unwrap();
        assert!(run.status.success(), "{line:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn each_cloud_is_told_in_this_order() {
    let verbs = |line: &[&str]| {
        let words = |command: Vec<String>| {
            let verbs = command.into_iter().skip(1).take_while(|word| !word.starts_with("--"));
            verbs
                .filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
                .collect::<Vec<_>>()
                .join(" ")
        };
        commands(&in_format(line, "cli")).into_iter().map(words).collect::<Vec<_>>()
    };
    let aws = ["iam create-open-id-connect-provider", "iam create-role", "iam put-role-policy"];
    assert_eq!(verbs(FULL[0]), aws);
    let gcp = [
        "services enable",
        "iam workload-identity-pools create reports-prod",
        "iam workload-identity-pools providers create-oidc reports-prod",
        "iam service-accounts create reports-prod",
        "iam service-accounts add-iam-policy-binding",
        "storage buckets add-iam-policy-binding",
        "storage buckets add-iam-policy-binding",
    ];
    assert_eq!(verbs(FULL[1]), gcp);
    let roles = ["storage account show", "role assignment create", "role assignment create"];
    let app = ["ad app create", "ad sp create", "ad app federated-credential create"];
    assert_eq!(verbs(FULL[2]), [&app[..], &roles].concat());
    let managed: Vec<_> = FULL[2].iter().copied().chain(["--identity", "managed"]).collect();
    let identity = ["identity create", "identity show", "identity federated-credential create"];
    assert_eq!(verbs(&managed), [&identity[..], &roles].concat());
}

fn given<'c>(commands: &'c [Vec<String>], verb: &str, option: &str) -> &'c str {
    let command = commands.iter().find(|command| command.iter().any(|word| word == verb)).unwrap();
    &command[command.iter().position(|word| word == option).unwrap() + 1]
}

#[test]
fn the_role_of_aws_trusts_our_tokens_for_these_subjects_and_no_others() {
    let trust = |besides: &[&str]| {
        let line: Vec<_> = FULL[0].iter().chain(besides).copied().collect();
        let commands = commands(&in_format(&line, "cli"));
        serde_json::from_str::<Value>(given(&commands, "create-role", "--assume-role-policy-document")).unwrap()
    };
    let actions = serde_json::json!(["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]);
    let exact = trust(&[]);
    assert_eq!(exact["Statement"][0]["Action"], actions);
    let provider = "arn:aws:iam::123456789012:oidc-provider/sts.example.com";
    assert_eq!(exact["Statement"][0]["Principal"]["Federated"], provider);
    let wanted = serde_json::json!({"StringEquals": {
        "sts.example.com:aud": "sts.amazonaws.com", "sts.example.com:sub": "spiffe://td/k8s/prod/pay/api",
    }});
    assert_eq!(exact["Statement"][0]["Condition"], wanted);
    let below = trust(&["--subject", "spiffe://td/ns/a/*"]);
    let wanted = serde_json::json!({
        "StringEquals": {"sts.example.com:aud": "sts.amazonaws.com"},
        "StringLike": {"sts.example.com:sub": ["spiffe://td/k8s/prod/pay/api", "spiffe://td/ns/a/*"]},
    });
    assert_eq!(below["Statement"][0]["Condition"], wanted);
}

#[test]
fn the_role_of_aws_opens_one_bucket_in_its_own_partition() {
    let policy = |besides: &[&str]| {
        let line: Vec<_> = FULL[0].iter().chain(besides).copied().collect();
        let commands = commands(&in_format(&line, "cli"));
        serde_json::from_str::<Value>(given(&commands, "put-role-policy", "--policy-document")).unwrap()
    };
    let allow = |action: &[&str], resource: &str| serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let read = policy(&[]);
    let list = allow(&["s3:ListBucket"], "arn:aws:s3:::reports");
    assert_eq!(read["Statement"], serde_json::json!([list, allow(&["s3:GetObject"], "arn:aws:s3:::reports/*")]));
    let write = policy(&["--permissions", "delete"]);
    assert_eq!(write["Statement"], serde_json::json!([allow(&["s3:DeleteObject"], "arn:aws:s3:::reports/*")]));
    let china: Vec<_> = FULL[0].iter().map(|word| if *word == "eu-central-1" { "cn-north-1" } else { word }).collect();
    let text = printed_by(&china);
    assert!(text.contains("arn:aws-cn:s3:::reports/*") && text.contains("s3.cn-north-1.amazonaws.com.cn"), "{text}");
    assert!(!text.contains("arn:aws:"), "{text}");
}

#[test]
fn google_lets_these_subjects_in_and_no_others() {
    let commands_of = |besides: &[&str]| {
        let line: Vec<_> = FULL[1].iter().chain(besides).copied().collect();
        commands(&in_format(&line, "cli"))
    };
    let exact = commands_of(&[]);
    let pool = "projects/123456789/locations/global/workloadIdentityPools/reports-prod";
    let condition = given(&exact, "create-oidc", "--attribute-condition");
    assert_eq!(condition, "assertion.sub == 'spiffe://td/k8s/prod/pay/api'");
    let audience = given(&exact, "create-oidc", "--allowed-audiences");
    assert_eq!(audience, format!("https://iam.googleapis.com/{pool}/providers/reports-prod"));
    let bound = |commands: &[Vec<String>]| given(commands, "add-iam-policy-binding", "--member").to_owned();
    let subject = format!("principal://iam.googleapis.com/{pool}/subject/spiffe://td/k8s/prod/pay/api");
    assert_eq!(bound(&exact), subject);
    let below = commands_of(&["--subject", "spiffe://td/ns/a/*"]);
    let condition = given(&below, "create-oidc", "--attribute-condition");
    let wanted = "assertion.sub == 'spiffe://td/k8s/prod/pay/api' || assertion.sub.startsWith('spiffe://td/ns/a/')";
    assert_eq!(condition, wanted);
    assert_eq!(bound(&below), format!("principalSet://iam.googleapis.com/{pool}/*"));
}

#[test]
fn entra_believes_one_subject_for_each_credential() {
    let line = ["--destination", "azure", "--issuer", "https://sts.example.com"];
    let named = [&line[..], &["--subject", "spiffe://td/a/b", "--subject", "spiffe://td/a/c"]].concat();
    for (line, subjects) in
        [(&line[..], &["destination:cloakroom"][..]), (&named, &["spiffe://td/a/b", "spiffe://td/a/c"])]
    {
        let commands = commands(&in_format(line, "cli"));
        let credentials: Vec<Value> = commands
            .iter()
            .filter(|command| command.contains(&"federated-credential".to_owned()))
            .map(|command| serde_json::from_str(command.last().unwrap()).unwrap())
            .collect();
        assert_eq!(credentials.iter().map(|credential| &credential["subject"]).collect::<Vec<_>>(), subjects);
        for credential in &credentials {
            assert_eq!(credential["audiences"], serde_json::json!(["api://AzureADTokenExchange"]));
            assert_eq!(credential["issuer"], "https://sts.example.com");
            let name = credential["name"].as_str().unwrap();
            assert!(name.starts_with("cloakroom-") && name.len() == 18, "{name}");
        }
    }
}
