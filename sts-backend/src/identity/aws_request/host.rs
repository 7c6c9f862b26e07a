//! The hosts of AWS's STS, by region (AWS General Reference, "AWS Security Token Service endpoints").

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

/// A host that a request may be signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsHost {
    /// Its name.
    pub name: String,
    /// The region that must stand in the signature's scope.
    pub region: String,
}

/// The endpoint without a region in its name. It stands in this one.
const GLOBAL: (&str, &str) = ("sts.amazonaws.com", "us-east-1");

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
}

/// The hosts of these regions.
pub fn of_regions<'r>(regions: impl IntoIterator<Item = &'r String>) -> Vec<StsHost> {
    let mut hosts = Vec::new();
    for region in regions {
        let mut add = |name: String| hosts.push(StsHost { name, region: region.clone() });
        match Partition::of_region(region) {
            Some(Partition::China) => add(format!("sts.{region}.amazonaws.com.cn")),
            Some(Partition::GovCloud) => add(format!("sts.{region}.amazonaws.com")),
            Some(Partition::Aws) => {
                add(format!("sts.{region}.amazonaws.com"));
                if region.starts_with("us-") {
                    add(format!("sts-fips.{region}.amazonaws.com"));
                }
                if region == GLOBAL.1 {
                    add(GLOBAL.0.to_owned());
                }
            }
            None => {}
        }
    }
    hosts
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
    fn hosts_are_those_of_the_regions_and_the_global_one_is_us_east_1() {
        let hosts = |regions: &[&str]| -> Vec<_> {
            let regions: Vec<_> = regions.iter().map(|region| (*region).to_owned()).collect();
            of_regions(&regions).into_iter().map(|host| format!("{} {}", host.name, host.region)).collect()
        };
        assert_eq!(hosts(&["eu-central-1"]), ["sts.eu-central-1.amazonaws.com eu-central-1"]);
        assert_eq!(hosts(&["cn-north-1"]), ["sts.cn-north-1.amazonaws.com.cn cn-north-1"]);
        assert_eq!(hosts(&["us-gov-west-1"]), ["sts.us-gov-west-1.amazonaws.com us-gov-west-1"]);
        let global = ["sts.us-east-1.amazonaws.com", "sts-fips.us-east-1.amazonaws.com", "sts.amazonaws.com"];
        assert_eq!(hosts(&["us-east-1"]), global.map(|host| format!("{host} us-east-1")));
    }
}
