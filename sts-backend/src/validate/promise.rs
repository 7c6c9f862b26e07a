//! What a route promises for the time without the STS, and what that costs, where the life of its tokens is known.

use filter_core::{
    config::{Config, ExchangeRoute, RouteMode},
    life::Upkeep,
};

use super::{cursor::At, report::Report};
use crate::target::Targets;

/// The longest life of a token for any target, in seconds.
const LONGEST_LIFE: u64 = 86_400;

/// How long the STS's tokens live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lives<'s> {
    /// The destinations, each with the longest life that a policy may give.
    pub targets: &'s Targets,
    /// The life where a policy says nothing, in seconds.
    pub default: u64,
}

/// Checks the promises of `config`'s routes, which stands at `at`, against the STS's own configuration where that is given,
/// and tells their prices.
pub(super) fn check(at: &At<'_>, config: &Config, lives: Option<Lives<'_>>, report: &mut Report<'_>) {
    let mut routes: Vec<_> = config.routes().collect();
    routes.sort_by_key(|(name, _)| *name);
    for (name, mode) in routes {
        if let RouteMode::Exchange(route) = mode {
            check_route(at, &Promise::of(name, route, config), route, lives, report);
        }
    }
}

fn check_route(
    at: &At<'_>,
    promise: &Promise<'_>,
    route: &ExchangeRoute,
    lives: Option<Lives<'_>>,
    report: &mut Report<'_>,
) {
    let Promise { route: name, outage_seconds, .. } = *promise;
    if outage_seconds > 0 && !route.refresh_ahead() {
        let found = format!("route `{name}`: `survive_outage_seconds` {outage_seconds} without `refresh_ahead`");
        let remedy = "a token is never replaced before its end, and the outage may begin just then";
        report.wrong(at, found, "`refresh_ahead` where an outage is to be survived", remedy);
    }
    let Some(lives) = lives else {
        if outage_seconds > 0 {
            report.tell(format!(
                "route `{name}`: to go on for {outage_seconds} s without the STS has a price; with the STS's configuration \
                 beside this one (`--config`) it is told"
            ));
        }
        return;
    };
    let facts = route.facts();
    let target = match lives.targets.choose(facts.resource.as_slice(), facts.audience.as_slice()) {
        Ok(target) => target,
        Err(_) => {
            let asked = facts.resource.iter().chain(&facts.audience).map(String::as_str).collect::<Vec<_>>();
            let found = format!("route `{name}` asks for `{}`", asked.join("` and `"));
            report.wrong(at, found, "one target of the STS's configuration", "the STS would refuse every exchange");
            return;
        }
    };
    if outage_seconds > 0 {
        promise.check_lives(at, lives.default.min(target.max_life), target.max_life, report);
    }
}

/// What one route promises.
struct Promise<'a> {
    route: &'a str,
    outage_seconds: u64,
    upkeep: Upkeep,
}

impl<'a> Promise<'a> {
    fn of(name: &'a str, route: &ExchangeRoute, config: &Config) -> Self {
        Self {
            route: name,
            outage_seconds: route.survive_outage_ms().unwrap_or_default() / 1_000,
            upkeep: Upkeep {
                expiry_margin_ms: route.expiry_margin_ms(),
                route_timeout_ms: route.request_timeout_ms(),
                sts_timeout_ms: config.sts().timeout_ms,
                survive_outage_ms: route.survive_outage_ms(),
            },
        }
    }

    /// `usual` is the life of tokens whose policy names none, `longest` what a policy may give, both in seconds.
    fn check_lives(&self, at: &At<'_>, usual: u64, longest: u64, report: &mut Report<'_>) {
        let Self { route, outage_seconds, .. } = self;
        let keeps = |life: u64| self.upkeep.keeps_promise(life.saturating_mul(1_000));
        let needed = (*outage_seconds..=LONGEST_LIFE).find(|&life| keeps(life));
        if !keeps(longest) {
            let found = format!(
                "route `{route}` promises {outage_seconds} s without the STS, but its tokens live {longest} s at most"
            );
            let expected = match needed {
                Some(needed) => format!("a `max_life_seconds` of {needed} or more"),
                None => "a shorter `survive_outage_seconds`".to_owned(),
            };
            report.wrong(at, found, expected, "the promise could not be kept");
            return;
        }
        let life = if keeps(usual) { usual } else { longest };
        let price =
            |upkeep: Upkeep| upkeep.plan(life.saturating_mul(1_000)).map_or(0.0, |plan| plan.price_per_minute());
        let without = Upkeep { survive_outage_ms: None, ..self.upkeep };
        let mut line = format!(
            "route `{route}`: to go on for {outage_seconds} s without the STS costs {:.2} token requests a minute for each \
             token in use instead of {:.2}, with tokens that live {life} s",
            price(self.upkeep),
            price(without),
        );
        if let (false, Some(needed)) = (keeps(usual), needed) {
            line.push_str(&format!(
                "; those of {usual} s, as policies without @ttl give them, are too short for it: say @ttl(\"{needed}s\") or more"
            ));
        }
        report.tell(line);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::{document::Lines, target::Target};

    /// What is found and told of a route with these settings, where tokens for its target live `longest` at most.
    fn judged(settings: &Value, longest: Option<u64>) -> (Vec<String>, Vec<String>) {
        let mut exchange = json!({"resource": "https://a.test", "clusters": ["a"]});
        exchange.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let config = json!({
            "version": 1, "listener": "l", "routes": {"a": {"exchange": exchange}},
            "sts": {"cluster": "s", "authority": "s", "actor": "spiffe://td/e"},
        });
        let config = Config::parse(config.to_string().as_bytes()).unwrap();
        let target = |max_life| Target { max_life, ..Target::for_tests("a", "https://a.test") };
        let targets = Targets::new(longest.map(target).into_iter().collect()).unwrap();
        let lives = longest.map(|_| Lives { targets: &targets, default: 60 });
        let lines = Lines::default();
        let mut report = Report::new(Path::new("bootstrap.yaml"), &lines);
        check(&At::root(&Value::Null), &config, lives, &mut report);
        (report.findings.iter().map(ToString::to_string).collect(), report.told)
    }

    #[track_caller]
    fn one(lines: &[String], words: &str) {
        assert!(lines.len() == 1 && lines[0].contains(words), "`{words}` is not what {lines:?} says");
    }

    #[test]
    fn a_promise_has_a_price_and_what_is_not_promised_has_none() {
        let (wrong, told) = judged(&json!({"survive_outage_seconds": 240}), Some(600));
        assert_eq!(wrong, [""; 0]);
        one(&told, "240 s without the STS costs");
        one(&told, "tokens that live 600 s; those of 60 s");
        assert_eq!(judged(&json!({}), Some(600)), (vec![], vec![]));
    }

    #[test]
    fn the_price_rises_with_the_promise() {
        let price = |outage: u64| {
            let (_, told) = judged(&json!({"survive_outage_seconds": outage}), Some(600));
            let (_, rest) = told[0].split_once("costs ").unwrap();
            rest.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let prices = [200, 300, 400].map(price);
        assert!(prices.is_sorted() && prices[0] < prices[2], "{prices:?}");
    }

    #[test]
    fn a_promise_that_tokens_are_too_short_for_is_a_mistake_that_says_what_is_needed() {
        let (wrong, told) = judged(&json!({"survive_outage_seconds": 240}), Some(200));
        one(&wrong, "its tokens live 200 s at most; expected a `max_life_seconds` of ");
        assert_eq!(told, [""; 0]);
        let (_, rest) = wrong[0].split_once("`max_life_seconds` of ").unwrap();
        let needed: u64 = rest.split(' ').next().unwrap().parse().unwrap();
        assert!(judged(&json!({"survive_outage_seconds": 240}), Some(needed)).0.is_empty());
        assert!(!judged(&json!({"survive_outage_seconds": 240}), Some(needed - 1)).0.is_empty());
    }

    #[test]
    fn a_promise_without_refresh_cannot_be_kept() {
        let settings = json!({"survive_outage_seconds": 240, "refresh_ahead": false});
        one(&judged(&settings, Some(600)).0, "without `refresh_ahead`");
    }

    #[test]
    fn without_the_sts_s_configuration_the_price_is_not_known() {
        let (wrong, told) = judged(&json!({"survive_outage_seconds": 240}), None);
        assert_eq!(wrong, [""; 0]);
        one(&told, "`--config`");
    }

    #[test]
    fn a_destination_that_the_sts_does_not_know_is_a_mistake() {
        let settings = json!({"resource": "https://b.test", "audience": "b"});
        one(&judged(&settings, Some(600)).0, "route `a` asks for `https://b.test` and `b`");
    }
}
