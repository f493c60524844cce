//! People in browsers.

use anyhow::ensure;
use leasehold::node::DevSecrets;
use leasehold_sandbox::browser::{Browser, Form, Page};

use crate::world::World;

/// What a person does at the provider's consent page.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtProvider<'a> {
    /// Who signs in there: the account.
    pub account: &'a str,
    /// Which scopes are unticked.
    pub refused: &'a [&'a str],
}

/// The people of a sandbox, who know their passwords.
#[derive(Clone, Copy)]
pub struct People<'a>(pub &'a DevSecrets);

impl People<'_> {
    /// Opens a connect URL and signs in as somebody. Stands on whatever our node shows then.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn open<'b>(
        &self,
        browser: &'b mut Browser,
        url: &str,
        name: &str,
    ) -> anyhow::Result<&'b Page> {
        let page = browser.goto(url).await?;
        ensure!(page.has_form("login"), "no sign-in came, but {}: {}", page.url, page.text);
        let form = Form::with_id("login").fill("username", name).fill("password", self.0.password(name));
        Ok(browser.submit(&form).await?)
    }

    /// From our consent page to the page that shows the account.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn to_account<'b>(
        &self,
        browser: &'b mut Browser,
        at: AtProvider<'_>,
    ) -> anyhow::Result<&'b Page> {
        self.to_provider(browser, at.account).await?;
        let mut form = Form::with_id("consent");
        for scope in at.refused {
            form = form.untick("scope", *scope);
        }
        Ok(browser.submit(&form.press("allow")).await?)
    }

    /// From our consent page to the provider's.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn to_provider<'b>(&self, browser: &'b mut Browser, account: &str) -> anyhow::Result<&'b Page> {
        let page = browser.submit(&Form::with_id("consent").press("approve")).await?;
        if page.has_form("login") {
            let form =
                Form::with_id("login").fill("username", account).fill("password", self.0.password(account));
            browser.submit(&form).await?;
        }
        let page = browser.page().filter(|page| page.has_form("consent"));
        page.ok_or_else(|| anyhow::anyhow!("the provider did not ask"))
    }

    /// A whole consent of somebody with their own account.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn consent(&self, url: &str, name: &str, refused: &[&str]) -> anyhow::Result<()> {
        let mut browser = Browser::new()?;
        let page = self.open(&mut browser, url, name).await?;
        ensure!(page.has_form("consent"), "no consent page came, but {}: {}", page.status, page.text);
        let page = self.to_account(&mut browser, AtProvider { account: name, refused }).await?;
        ensure!(page.has_form("account"), "the account was not shown, but {}: {}", page.status, page.text);
        let page = browser.submit(&Form::with_id("account").press("confirm")).await?;
        ensure!(page.status == 200, "the confirmation ended with {}: {}", page.status, page.text);
        Ok(())
    }
}

impl World {
    /// The people of its sandbox.
    pub fn people(&self) -> People<'_> {
        People(&self.dev.secrets)
    }

    /// As [`People::open`].
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn open<'b>(
        &self,
        browser: &'b mut Browser,
        url: &str,
        name: &str,
    ) -> anyhow::Result<&'b Page> {
        self.people().open(browser, url, name).await
    }

    /// As [`People::to_account`].
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn to_account<'b>(
        &self,
        browser: &'b mut Browser,
        at: AtProvider<'_>,
    ) -> anyhow::Result<&'b Page> {
        self.people().to_account(browser, at).await
    }

    /// As [`People::to_provider`].
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn to_provider<'b>(&self, browser: &'b mut Browser, account: &str) -> anyhow::Result<&'b Page> {
        self.people().to_provider(browser, account).await
    }

    /// As [`People::consent`].
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn consent(&self, url: &str, name: &str, refused: &[&str]) -> anyhow::Result<()> {
        self.people().consent(url, name, refused).await
    }

    /// Alice consents to whatever is asked for these scopes, leaving out `refused` at the provider.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn alice_consents(&self, scopes: &[&str], refused: &[&str]) -> anyhow::Result<()> {
        let needed = self.acquire(scopes).await?.consent();
        self.consent(&needed.connect_url, "alice", refused).await
    }
}
