//! A form as a person fills it in: only what is on the page can be changed, and hidden fields go along untouched.

use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::error::BrowserError;
use super::page::{Page, text_of};

/// What to do with a form of the page.
#[derive(Clone, Default)]
#[must_use]
pub struct Form {
    pick: Pick,
    fills: Vec<(String, String)>,
    ticks: Vec<Tick>,
    tampers: Vec<(String, String)>,
    button: Option<String>,
}

#[derive(Clone, Default)]
enum Pick {
    #[default]
    Only,
    Id(String),
    Button(String),
}

#[derive(Clone)]
struct Tick {
    name: String,
    value: String,
    on: bool,
}

/// A form ready to be sent.
pub(crate) struct Submission {
    pub(crate) url: Url,
    /// The body of a POST; none for a GET.
    pub(crate) body: Option<String>,
}

impl Form {
    /// The page's only form.
    pub fn only() -> Self {
        Self::default()
    }

    /// The form of this id.
    pub fn with_id(id: impl Into<String>) -> Self {
        Self { pick: Pick::Id(id.into()), ..Self::default() }
    }

    /// The first form that has this button (by its text, value or id), and that button pressed.
    pub fn with_button(button: impl Into<String>) -> Self {
        let button = button.into();
        Self { pick: Pick::Button(button.clone()), button: Some(button), ..Self::default() }
    }

    /// Types into a visible field, or chooses an option of a select or a radio group.
    pub fn fill(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fills.push((name.into(), value.into()));
        self
    }

    /// Ticks the checkbox of this name and value.
    pub fn tick(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.ticks.push(Tick { name: name.into(), value: value.into(), on: true });
        self
    }

    /// Unticks the checkbox of this name and value.
    pub fn untick(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.ticks.push(Tick { name: name.into(), value: value.into(), on: false });
        self
    }

    /// Presses this button (by its text, value or id) instead of the form's first.
    pub fn press(mut self, button: impl Into<String>) -> Self {
        self.button = Some(button.into());
        self
    }

    /// Sets any field, hidden or absent, as an attacker would.
    pub fn tamper(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tampers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn resolve(&self, page: &Page) -> Result<Submission, BrowserError> {
        let document = Html::parse_document(&page.text);
        let form = self.find(&document)?;
        let controls = Control::all(form);
        let button = self.pressed(&controls)?;
        let mut fields = Vec::new();
        for control in &controls {
            self.gather(control, button, &mut fields)?;
        }
        self.check_all_used(&controls)?;
        for (name, value) in &self.tampers {
            fields.retain(|(known, _)| known != name);
            fields.push((name.clone(), value.clone()));
        }
        let action = button.and_then(|button| button.element.attr("formaction")).or(form.attr("action"));
        let mut url = match action.filter(|action| !action.is_empty()) {
            Some(action) => page.url.join(action).map_err(BrowserError::Url)?,
            None => page.url.clone(),
        };
        url.set_fragment(None);
        let encoded = encode(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if form.attr("method").is_some_and(|method| method.eq_ignore_ascii_case("post")) {
            Ok(Submission { url, body: Some(encoded) })
        } else {
            url.set_query(Some(&encoded));
            Ok(Submission { url, body: None })
        }
    }

    fn find<'a>(&self, document: &'a Html) -> Result<ElementRef<'a>, BrowserError> {
        let forms: Vec<ElementRef<'a>> = all(document.root_element(), "form");
        let (wanted, found) = match &self.pick {
            Pick::Only => ("the only one".to_owned(), forms.first().filter(|_| forms.len() == 1)),
            Pick::Id(id) => (format!("named {id:?}"), forms.iter().find(|form| form.attr("id") == Some(id))),
            Pick::Button(button) => {
                let has = |form: &&ElementRef<'a>| {
                    Control::all(**form).iter().any(|control| control.is_button(button))
                };
                (format!("the one with button {button:?}"), forms.iter().find(has))
            }
        };
        found.copied().ok_or(BrowserError::NoForm { wanted, found: forms.len() })
    }

    fn pressed<'a, 'b>(&self, controls: &'b [Control<'a>]) -> Result<Option<&'b Control<'a>>, BrowserError> {
        match &self.button {
            None => Ok(controls.iter().find(|control| control.kind == Kind::Button)),
            Some(wanted) => controls
                .iter()
                .find(|control| control.is_button(wanted))
                .map(Some)
                .ok_or_else(|| BrowserError::NoButton(wanted.clone())),
        }
    }

    fn gather(
        &self,
        control: &Control<'_>,
        button: Option<&Control<'_>>,
        fields: &mut Vec<(String, String)>,
    ) -> Result<(), BrowserError> {
        let filled = self.fills.iter().rev().find(|(name, _)| *name == control.name).map(|(_, value)| value);
        let value = match control.kind {
            Kind::Hidden => Some(control.value.clone()),
            Kind::Text => Some(filled.unwrap_or(&control.value).clone()),
            Kind::Choice => match filled {
                Some(value) if control.options.contains(value) => Some(value.clone()),
                Some(_) => return Err(BrowserError::NoField(control.name.clone())),
                None => Some(control.value.clone()),
            },
            Kind::Radio => {
                let on = filled.map_or(control.on, |value| *value == control.value);
                on.then(|| control.value.clone())
            }
            Kind::Tick => {
                let ordered = self
                    .ticks
                    .iter()
                    .rev()
                    .find(|tick| tick.name == control.name && tick.value == control.value);
                ordered.map_or(control.on, |tick| tick.on).then(|| control.value.clone())
            }
            Kind::Button => {
                let pressed = button.is_some_and(|button| button.element.id() == control.element.id());
                pressed.then(|| control.value.clone())
            }
        };
        let required = control.element.attr("required").is_some();
        if required && control.kind == Kind::Text && value.as_deref().unwrap_or("").is_empty() {
            return Err(BrowserError::Required(control.name.clone()));
        }
        if let Some(value) = value.filter(|_| !control.name.is_empty()) {
            fields.push((control.name.clone(), value));
        }
        Ok(())
    }

    /// A script that fills in what is not there is a mistake.
    fn check_all_used(&self, controls: &[Control<'_>]) -> Result<(), BrowserError> {
        let fillable = |name: &str| {
            controls.iter().any(|control| {
                control.name == name && matches!(control.kind, Kind::Text | Kind::Choice | Kind::Radio)
            })
        };
        if let Some((name, _)) = self.fills.iter().find(|(name, _)| !fillable(name)) {
            return Err(BrowserError::NoField(name.clone()));
        }
        let tickable = |tick: &Tick| {
            controls.iter().any(|control| {
                control.kind == Kind::Tick && control.name == tick.name && control.value == tick.value
            })
        };
        match self.ticks.iter().find(|tick| !tickable(tick)) {
            Some(tick) => Err(BrowserError::NoField(format!("{}={}", tick.name, tick.value))),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hidden,
    Text,
    Tick,
    Radio,
    Choice,
    Button,
}

struct Control<'a> {
    element: ElementRef<'a>,
    kind: Kind,
    name: String,
    value: String,
    on: bool,
    options: Vec<String>,
}

impl<'a> Control<'a> {
    /// The controls of a form that are not disabled, in document order.
    fn all(form: ElementRef<'a>) -> Vec<Self> {
        all(form, "input, button, select, textarea")
            .into_iter()
            .filter(|element| element.attr("disabled").is_none())
            .filter_map(Self::of)
            .collect()
    }

    fn of(element: ElementRef<'a>) -> Option<Self> {
        let name = element.attr("name").unwrap_or("").to_owned();
        let given = element.attr("value");
        let on = element.attr("checked").is_some();
        let kind_of_input = element.attr("type").unwrap_or("").to_ascii_lowercase();
        let mut options = Vec::new();
        let (kind, value) = match (element.value().name(), kind_of_input.as_str()) {
            ("input", "hidden") => (Kind::Hidden, given.unwrap_or("").to_owned()),
            ("input", "checkbox") => (Kind::Tick, given.unwrap_or("on").to_owned()),
            ("input", "radio") => (Kind::Radio, given.unwrap_or("on").to_owned()),
            ("input" | "button", "submit") | ("button", "") => (Kind::Button, given.unwrap_or("").to_owned()),
            ("input", "reset" | "button" | "image" | "file") | ("button", _) => return None,
            ("select", _) => {
                let listed = all(element, "option");
                let value = |option: &ElementRef<'_>| {
                    option.attr("value").map_or_else(|| text_of(*option), str::to_owned)
                };
                options = listed.iter().map(value).collect();
                let chosen =
                    listed.iter().find(|option| option.attr("selected").is_some()).or(listed.first());
                (Kind::Choice, chosen.map(value).unwrap_or_default())
            }
            ("textarea", _) => (Kind::Text, element.text().collect()),
            _ => (Kind::Text, given.unwrap_or("").to_owned()),
        };
        Some(Self { element, kind, name, value, on, options })
    }

    fn is_button(&self, wanted: &str) -> bool {
        self.kind == Kind::Button
            && (self.value == wanted
                || self.element.attr("id") == Some(wanted)
                || text_of(self.element) == wanted)
    }
}

fn all<'a>(within: ElementRef<'a>, css: &str) -> Vec<ElementRef<'a>> {
    match Selector::parse(css) {
        Ok(selector) => within.select(&selector).collect(),
        Err(_) => Vec::new(),
    }
}

pub(crate) fn encode<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
