//! The names of what is assumed and of what is opened (AWS General Reference, "Amazon Resource Names").

use crate::aws::partition::Partition;

/// A role, by its ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role<'a> {
    pub arn: &'a str,
    pub partition: Partition,
    pub account: &'a str,
    /// Its name without its path: names are unique in an account.
    pub name: &'a str,
}

impl<'a> Role<'a> {
    /// The role that `arn` names: `arn:aws:iam::123456789012:role/PATH/NAME`.
    pub fn parse(arn: &'a str) -> Result<Self, String> {
        let wrong = || format!("`{arn}` is no role; expected arn:aws:iam::ACCOUNT:role/NAME (or aws-cn, aws-us-gov)");
        let Arn { partition, service, region, account, resource } = Arn::parse(arn).ok_or_else(wrong)?;
        let path = resource.strip_prefix("role/").filter(|_| service == "iam" && region.is_empty());
        let name = path.and_then(|path| path.rsplit('/').next()).ok_or_else(wrong)?;
        // IAM User Guide, "IAM and AWS STS quotas": names have at most 64 characters, paths 512.
        let plain = (1..=64).contains(&name.len()) && all(name, b"_+=,.@-") && resource.len() <= 512 + 64;
        let path_fits = resource.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?".contains(&byte));
        if plain && path_fits { Ok(Self { arn, partition, account, name }) } else { Err(wrong()) }
    }

    /// How its sessions are named (IAM User Guide, "IAM identifiers"): without the role's path.
    pub fn session(&self, name: &str) -> String {
        format!("arn:{}:sts::{}:assumed-role/{}/{name}", self.partition.name(), self.account, self.name)
    }
}

/// What is wrong with the ARN of a table that is to be opened by a role of `partition`, if anything.
pub fn check_table(arn: &str, partition: Partition) -> Result<(), String> {
    let wrong = || {
        let partition = partition.name();
        format!("`table` is `{arn}`; expected arn:{partition}:dynamodb:REGION:ACCOUNT:table/NAME, without wildcards")
    };
    let found = Arn::parse(arn).filter(|found| found.is_regional("dynamodb", partition)).ok_or_else(wrong)?;
    let name = found.resource.strip_prefix("table/").ok_or_else(wrong)?;
    if (3..=255).contains(&name.len()) && all(name, b"_.-") { Ok(()) } else { Err(wrong()) }
}

/// The same of a queue.
pub fn check_queue(arn: &str, partition: Partition) -> Result<(), String> {
    let wrong = || {
        let partition = partition.name();
        format!("`queue` is `{arn}`; expected arn:{partition}:sqs:REGION:ACCOUNT:NAME, without wildcards")
    };
    let found = Arn::parse(arn).filter(|found| found.is_regional("sqs", partition)).ok_or_else(wrong)?;
    let name = found.resource.strip_suffix(".fifo").unwrap_or(found.resource);
    if found.resource.len() <= 80 && !name.is_empty() && all(name, b"_-") { Ok(()) } else { Err(wrong()) }
}

/// An ARN, taken apart.
struct Arn<'a> {
    partition: Partition,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<_> = arn.splitn(6, ':').collect();
        let ["arn", _, service, region, account, resource] = *parts.as_slice() else { return None };
        let number = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        number.then_some(Self { partition: Partition::of_arn(arn)?, service, region, account, resource })
    }

    fn is_regional(&self, service: &str, partition: Partition) -> bool {
        let regions = Partition::of_region(self.region);
        self.service == service && self.partition == partition && regions == Some(partition)
    }
}

fn all(text: &str, marks: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_with_or_without_path() {
        let role = Role::parse("arn:aws:iam::123456789012:role/gw").unwrap();
        assert_eq!((role.account, role.name), ("123456789012", "gw"));
        assert_eq!(role.session("a+b"), "arn:aws:sts::123456789012:assumed-role/gw/a+b");
        let role = Role::parse("arn:aws-cn:iam::123456789012:role/edge/eu/g.w@x").unwrap();
        assert_eq!(role.session("ab"), "arn:aws-cn:sts::123456789012:assumed-role/g.w@x/ab");
        for arn in [
            "",
            "gw",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a/",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:role/*/gw",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a:b",
            "arn:aws:iam::123456789012:user/gw",
            "arn:aws:iam::12345678901:role/gw",
            "arn:aws:iam:eu-central-1:123456789012:role/gw",
            "arn:aws:sts::123456789012:assumed-role/gw/x",
            "arn:aws-iso:iam::123456789012:role/gw",
            &format!("arn:aws:iam::123456789012:role/{}", "a".repeat(65)),
        ] {
            assert!(Role::parse(arn).unwrap_err().contains("is no role"), "{arn}");
        }
    }

    #[test]
    fn a_table_is_one_table() {
        assert_eq!(check_table("arn:aws:dynamodb:eu-central-1:123456789012:table/t_1.x-y", Partition::Aws), Ok(()));
        for arn in [
            "arn:aws:dynamodb:eu-central-1:123456789012:table/*",
            "arn:aws:dynamodb:eu-central-1:123456789012:table/t1/index/*",
            "arn:aws:dynamodb:eu-central-1:123456789012:table/t1/stream/x",
            "arn:aws:dynamodb:*:123456789012:table/t11",
            "arn:aws:dynamodb:eu-central-1:*:table/t11",
            "arn:aws:dynamodb:eu-central-1:123456789012:table/${x}",
            "arn:aws:dynamodb:eu-central-1:123456789012:table/ab",
            "arn:aws:dynamodb:cn-north-1:123456789012:table/t11",
            "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/t11",
            "arn:aws:s3:eu-central-1:123456789012:table/t11",
            "t11",
        ] {
            assert!(check_table(arn, Partition::Aws).unwrap_err().contains("expected arn:aws:dynamodb:"), "{arn}");
        }
    }

    #[test]
    fn a_queue_is_one_queue() {
        for arn in ["arn:aws-cn:sqs:cn-north-1:123456789012:q", "arn:aws-cn:sqs:cn-north-1:123456789012:a_b-c.fifo"] {
            assert_eq!(check_queue(arn, Partition::China), Ok(()), "{arn}");
        }
        for arn in [
            "arn:aws-cn:sqs:cn-north-1:123456789012:*",
            "arn:aws-cn:sqs:cn-north-1:123456789012:a?",
            "arn:aws-cn:sqs:cn-north-1:123456789012:.fifo",
            "arn:aws-cn:sqs:cn-north-1:123456789012:a.b",
            "arn:aws:sqs:eu-central-1:123456789012:q",
            "arn:aws-cn:sns:cn-north-1:123456789012:q",
        ] {
            assert!(check_queue(arn, Partition::China).unwrap_err().contains("expected arn:aws-cn:sqs:"), "{arn}");
        }
    }
}
