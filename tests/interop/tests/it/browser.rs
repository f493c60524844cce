//! A browser small enough to read: cookies, redirects one by one, and forms.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use scraper::{Html, Selector};
use url::Url;

/// More redirects in a row than any sign-in needs.
const HOPS: usize = 10;

pub(crate) struct Browser {
    http: reqwest::Client,
}

/// Where a walk ended: on a page, or on its way to a callback that nobody serves.
pub(crate) struct Stop {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    body: String,
}

pub(crate) struct Form {
    action: Url,
    fields: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().cookie_store(true).redirect(Policy::none()).build();
        Self { http: http.expect("a plain client can be made") }
    }

    pub(crate) async fn open(&self, url: Url, callback: &str) -> Stop {
        self.walk(self.http.get(url.clone()), url, callback).await
    }

    pub(crate) async fn submit(&self, form: Form, callback: &str) -> Stop {
        self.walk(self.http.post(form.action.clone()).form(&form.fields), form.action, callback).await
    }

    async fn walk(&self, first: reqwest::RequestBuilder, at: Url, callback: &str) -> Stop {
        let (mut request, mut at) = (first, at);
        for _ in 0..HOPS {
            let answer = request.send().await.expect("the provider answers");
            let Some(location) = answer.headers().get(LOCATION) else {
                return Stop { url: at, status: answer.status(), body: answer.text().await.expect("a body") };
            };
            let location = location.to_str().expect("a location is ASCII");
            at = at.join(location).expect("a location is a URL");
            if at.as_str().starts_with(callback) {
                return Stop { url: at, status: answer.status(), body: String::new() };
            }
            request = self.http.get(at.clone());
        }
        assert_eq!(at.as_str(), callback, "more than {HOPS} redirects");
        unreachable!("the callback ends the walk")
    }
}

impl Stop {
    /// The parameters of the callback this walk ended at.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        self.url.query_pairs().into_owned().collect()
    }

    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    /// The form with this id, with its hidden fields and ticked boxes.
    pub(crate) fn form(&self, id: &str) -> Form {
        let page = Html::parse_document(&self.body);
        let form = Selector::parse(&format!("form#{id}")).expect("an id is a selector");
        let form = page.select(&form).next();
        let form = form.unwrap_or_else(|| unreachable!("no form#{id} at {} in: {}", self.url, self.body));
        let inputs = Selector::parse("input[value]").expect("a constant");
        let fields = form.select(&inputs).map(|input| input.value());
        let fields = fields
            .filter(|input| input.attr("type") != Some("checkbox") || input.attr("checked").is_some())
            .filter_map(|input| Some((input.attr("name")?.to_owned(), input.attr("value")?.to_owned())));
        Form {
            action: self
                .url
                .join(form.value().attr("action").unwrap_or_default())
                .expect("an action is a URL"),
            fields: fields.collect(),
        }
    }
}

impl Form {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Clears the checkbox `name` = `value`, which must be ticked.
    pub(crate) fn untick(mut self, name: &str, value: &str) -> Self {
        let before = self.fields.len();
        self.fields.retain(|(field, ticked)| (field.as_str(), ticked.as_str()) != (name, value));
        assert_eq!(self.fields.len() + 1, before, "{name}={value} is not ticked");
        self
    }

    /// The values of the fields named `name`.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }
}
