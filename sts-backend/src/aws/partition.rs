//! AWS's partitions: the public regions, China, and GovCloud (AWS General Reference, "Amazon Resource Names").

/// One of AWS's clouds that know nothing of each other. `aws` and its like in ARNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// Everywhere else.
    Aws,
    /// The regions in China.
    China,
    /// GovCloud (US).
    GovCloud,
}

impl Partition {
    /// Its name in ARNs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
        }
    }

    /// The partition of a region; nothing for what is no region's name, or one of a cloud whose hosts are named otherwise.
    pub fn of_region(region: &str) -> Option<Self> {
        let mut parts = region.split('-').rev();
        let number = parts.next().is_some_and(|part| (1..=2).contains(&part.len()) && all(part, u8::is_ascii_digit));
        let words: Vec<_> = parts.collect();
        let named = words.iter().all(|part| !part.is_empty() && all(part, u8::is_ascii_lowercase));
        if !number || !named || !(2..=3).contains(&words.len()) || region.len() > 32 {
            return None;
        }
        match region.split('-').collect::<Vec<_>>().as_slice() {
            ["cn", ..] => Some(Self::China),
            ["us", "gov", ..] => Some(Self::GovCloud),
            ["eusc", ..] | [_, "iso" | "isob" | "isoe" | "isof", ..] => None,
            [_, _, _] => Some(Self::Aws),
            _ => None,
        }
    }
    /// The partition that an ARN names in its second part.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let named = arn.strip_prefix("arn:")?.split(':').next()?;
        [Self::Aws, Self::China, Self::GovCloud].into_iter().find(|partition| partition.name() == named)
    }

    /// The address of its STS in one of its regions.
    pub fn sts_host(self, region: &str) -> String {
        let end = if self == Self::China { ".cn" } else { "" };
        format!("sts.{region}.amazonaws.com{end}")
    }
}

fn all(text: &str, is: fn(&u8) -> bool) -> bool {
    text.as_bytes().iter().all(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_one_partition() {
        for (region, partition) in [
            ("eu-central-1", Some(Partition::Aws)),
            ("us-east-1", Some(Partition::Aws)),
            ("ap-southeast-5", Some(Partition::Aws)),
            ("cn-north-1", Some(Partition::China)),
            ("us-gov-west-1", Some(Partition::GovCloud)),
            ("us-iso-east-1", None),
            ("eu-isoe-west-1", None),
            ("eusc-de-east-1", None),
            ("eu-central", None),
            ("eu-central-1.evil.example", None),
            ("eu_central-1", None),
            ("EU-central-1", None),
            ("eu--1", None),
            ("a-b-c-d-1", None),
            ("", None),
        ] {
            assert_eq!(Partition::of_region(region), partition, "{region}");
        }
    }

    #[test]
    fn an_arn_has_one_partition() {
        for (arn, partition) in [
            ("arn:aws:iam::123456789012:role/x", Some(Partition::Aws)),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:q", Some(Partition::China)),
            ("arn:aws-us-gov:iam::123456789012:role/x", Some(Partition::GovCloud)),
            ("arn:aws-iso:iam::123456789012:role/x", None),
            ("arn:AWS:iam::123456789012:role/x", None),
            ("aws:iam", None),
            ("", None),
        ] {
            assert_eq!(Partition::of_arn(arn), partition, "{arn}");
        }
    }

    #[test]
    fn china_has_a_domain_of_its_own() {
        assert_eq!(Partition::Aws.sts_host("eu-central-1"), "sts.eu-central-1.amazonaws.com");
        assert_eq!(Partition::GovCloud.sts_host("us-gov-west-1"), "sts.us-gov-west-1.amazonaws.com");
        assert_eq!(Partition::China.sts_host("cn-north-1"), "sts.cn-north-1.amazonaws.com.cn");
    }
}
