//! Buckets and their objects, in memory.

use std::collections::BTreeMap;

/// All buckets of an account.
#[derive(Clone, Debug, Default)]
pub struct Buckets(BTreeMap<String, BTreeMap<String, Vec<u8>>>);

/// One page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys and the lengths of their objects.
    pub keys: Vec<(String, usize)>,
    /// What several keys begin with, up to the delimiter.
    pub prefixes: Vec<String>,
    /// The last key or prefix of the page, if there are more after it.
    pub more_after: Option<String>,
}

impl Buckets {
    /// Buckets with objects: key and content.
    pub fn new(buckets: BTreeMap<String, Vec<(String, String)>>) -> Self {
        let object = |(key, content): (String, String)| (key, content.into_bytes());
        Self(buckets.into_iter().map(|(name, objects)| (name, objects.into_iter().map(object).collect())).collect())
    }

    /// The objects of a bucket.
    pub fn objects(&mut self, bucket: &str) -> Option<&mut BTreeMap<String, Vec<u8>>> {
        self.0.get_mut(bucket)
    }

    /// Up to `most` keys of a bucket that begin with `prefix` and come after `after`; those with `delimiter` in the rest are
    /// told of by what they have up to it.
    pub fn page(&self, bucket: &str, prefix: &str, delimiter: &str, after: &str, most: usize) -> Option<Page> {
        let mut page = Page::default();
        for (key, object) in self.0.get(bucket)?.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            let end = if delimiter.is_empty() { None } else { rest.find(delimiter).map(|at| at + delimiter.len()) };
            let name = end.map_or(key.as_str(), |end| &key[..prefix.len() + end]);
            if name <= after || page.prefixes.last().is_some_and(|last| last == name) {
                continue;
            }
            if page.keys.len() + page.prefixes.len() == most {
                let last_key = page.keys.last().map(|(key, _)| key);
                page.more_after = last_key.max(page.prefixes.last()).cloned();
                break;
            }
            match end {
                None => page.keys.push((key.clone(), object.len())),
                Some(_) => page.prefixes.push(name.to_owned()),
            }
        }
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_is_below_a_prefix() {
        let objects = ["a/1", "a/2", "a/b/1", "a/b/2", "c"].map(|key| (key.to_owned(), "12".to_owned()));
        let buckets = Buckets::new([("x".to_owned(), objects.to_vec())].into());
        let keys = |page: &Page| page.keys.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&buckets.page("x", "a/", "", "", 9).unwrap()), ["a/1", "a/2", "a/b/1", "a/b/2"]);
        let folders = buckets.page("x", "a/", "/", "", 9).unwrap();
        assert_eq!((keys(&folders), folders.prefixes.clone()), (vec!["a/1".into(), "a/2".into()], vec!["a/b/".into()]));
        let first = buckets.page("x", "", "", "", 2).unwrap();
        assert_eq!((keys(&first), first.more_after.as_deref()), (vec!["a/1".into(), "a/2".into()], Some("a/2")));
        assert_eq!(keys(&buckets.page("x", "", "", "a/2", 9).unwrap()), ["a/b/1", "a/b/2", "c"]);
        assert_eq!(buckets.page("y", "", "", "", 1), None);
    }
}
