//! The hosts of AWS's STS, by region (AWS General Reference, "AWS Security Token Service endpoints").

use crate::aws::partition::Partition;

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

/// The hosts of these regions.
pub fn of_regions<'r>(regions: impl IntoIterator<Item = &'r String>) -> Vec<StsHost> {
    let mut hosts = Vec::new();
    for region in regions {
        let mut add = |name: String| hosts.push(StsHost { name, region: region.clone() });
        match Partition::of_region(region) {
            Some(partition @ (Partition::China | Partition::GovCloud)) => add(partition.sts_host(region)),
            Some(Partition::Aws) => {
                add(Partition::Aws.sts_host(region));
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

#[cfg(test)]
mod tests {
    use super::*;

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
