//! The people of the demo: a scripted browser that signs in, consents and confirms as a person would.

use anyhow::{Context, ensure};
use leasehold_sandbox::browser::{Browser, Form, Page};

/// What a person does with a consent.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The name on both login pages.
    pub name: &'a str,
    /// The password on both.
    pub password: &'a str,
}

/// Opens a connect URL and signs in at the identity provider. Stands on our consent page, or on a refusal.
///
/// # Errors
/// Where a page is not the one that should come.
pub async fn sign_in<'b>(
    browser: &'b mut Browser,
    url: &str,
    person: Person<'_>,
) -> anyhow::Result<&'b Page> {
    let page = browser.goto(url).await?;
    ensure!(
        page.has_form("login"),
        "opening the connect URL did not lead to a sign-in, but to:\n{}",
        page.text
    );
    let form = Form::with_id("login").fill("username", person.name).fill("password", person.password);
    Ok(browser.submit(&form).await?)
}

/// Goes on from our consent page to the end, leaving out `refused` on the provider's own page. Answers with the text of the page that showed
/// the account.
///
/// # Errors
/// Where a page is not the one that should come.
pub async fn consent(browser: &mut Browser, person: Person<'_>, refused: &[&str]) -> anyhow::Result<String> {
    let page = browser.submit(&Form::with_id("consent").press("approve")).await?;
    let page = if page.has_form("login") {
        let form = Form::with_id("login").fill("username", person.name).fill("password", person.password);
        browser.submit(&form).await?
    } else {
        page
    };
    ensure!(page.has_form("consent"), "the provider did not ask, but said:\n{}", page.text);
    let mut form = Form::with_id("consent");
    for scope in refused {
        form = form.untick("scope", *scope);
    }
    let page = browser.submit(&form.press("allow")).await?;
    ensure!(page.has_form("account"), "the account was not shown, but:\n{}", page.text);
    let account_page = page.text.clone();
    let query = page.url.query().unwrap_or_default().to_owned();
    ensure!(query.is_empty(), "the page that shows the account still has a query in its URL");
    browser.submit(&Form::with_id("account").press("confirm")).await?;
    Ok(account_page)
}

/// A browser of its own, with no cookie.
///
/// # Errors
/// Where it cannot be made.
pub fn browser() -> anyhow::Result<Browser> {
    Browser::new().context("cannot make a browser")
}
