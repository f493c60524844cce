//! People in browsers: at the provider to sign in, on our page, at the provider again to consent.

use anyhow::{Context, ensure};
use leasehold_sandbox::browser::{Browser, Form, Page};

use crate::scene::{CLIENT, Scene, password};

impl Scene {
    /// Opens a connect URL and signs in as somebody at the provider. Stands on whatever our node shows then.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub(crate) async fn open<'b>(
        &self,
        browser: &'b mut Browser,
        connect_url: &str,
        name: &str,
    ) -> anyhow::Result<&'b Page> {
        let page = browser.goto(connect_url).await?;
        self.at_provider(page, "login")?;
        let sign_in = Form::with_id("login").fill("login", name).fill("password", password(name));
        let page = browser.submit(&sign_in).await?;
        // The provider also asks whether we may know who signs in.
        self.at_provider(page, "consent")?;
        Ok(browser.submit(&Form::with_id("consent").press("allow")).await?)
    }

    /// A whole consent of somebody with their own account, who unticks the `refused` scopes at the provider. Answers with what our page called
    /// the account.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub(crate) async fn consent(
        &self,
        connect_url: &str,
        name: &str,
        refused: &[&str],
    ) -> anyhow::Result<String> {
        let mut browser = Browser::new()?;
        let page = self.open(&mut browser, connect_url, name).await?;
        self.at_ours(page, "consent")?;
        let page = browser.submit(&Form::with_id("consent").press("approve")).await?;
        self.at_provider(page, "consent")?;
        ensure!(page.select("#client") == [CLIENT], "another client asks: {}", page.text);
        let form = refused.iter().fold(Form::with_id("consent"), |form, scope| form.untick("scope", *scope));
        let page = browser.submit(&form.press("allow")).await?;
        self.at_ours(page, "account")?;
        let account = page.select(".account").pop().context("the page does not name the account")?;
        let page = browser.submit(&Form::with_id("account").press("confirm")).await?;
        ensure!(page.status == 200, "the confirmation ended with {}: {}", page.status, page.text);
        Ok(account)
    }

    fn at_provider(&self, page: &Page, form: &str) -> anyhow::Result<()> {
        at(page, self.provider.issuer(), form)
    }

    fn at_ours(&self, page: &Page, form: &str) -> anyhow::Result<()> {
        at(page, &format!("http://{}", self.node.console), form)
    }
}

fn at(page: &Page, origin: &str, form: &str) -> anyhow::Result<()> {
    let here = page.url.origin().ascii_serialization() == origin && page.has_form(form);
    here.then_some(())
        .with_context(|| format!("no {form} at {origin}, but {} {}: {}", page.status, page.url, page.text))
}
