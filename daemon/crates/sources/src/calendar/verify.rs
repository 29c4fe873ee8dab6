//! How a calendar is verified: one listing of all events, of which the walk's own rules say what
//! they would write; and a get of each event that differs.

use super::feed::{Listing, Reading, is_of_one_event, is_refused, next_page};
use super::occurrence::own_event;
use super::primary::PrimaryLog;
use super::scribe::Sight;
use super::shared::SharedLog;
use crate::error::Error;
use crate::verify::{Cost, Inspect, Shown, Truth, Wrong, WrongKind};
use async_trait::async_trait;
use nuncio_google::{Calendar, Google, ListEvents};
use nuncio_model::{AccountKey, DeleteCause, IndexRow, ItemId, Op, Origin};
use std::collections::HashMap;

const EVENTS: &str = "calendar.events.list";
const EVENT: &str = "calendar.events.get";

/// What the listing of a calendar has shown.
#[derive(Default)]
pub(crate) struct Survey {
    /// Page tokens are one account's.
    reader: Option<AccountKey>,
    listing: Listing,
    /// Events that belong, and the hash of what would be written of them; none for one that
    /// cannot be read.
    shown: HashMap<ItemId, Option<u64>>,
}

impl Survey {
    fn compare(&self, row: &IndexRow) -> Shown {
        match self.shown.get(&row.item) {
            None => Shown::Not,
            Some(Some(hash)) if *hash == row.hash => Shown::Same,
            Some(_) => Shown::Differs,
        }
    }

    fn items(&self) -> Vec<ItemId> {
        self.shown.keys().cloned().collect()
    }
}

impl Reading {
    async fn survey(
        &mut self,
        survey: &mut Survey,
        google: &Google,
        cost: &mut Cost,
    ) -> Result<Option<bool>, Error> {
        let before = survey.reader.get_or_insert_with(|| self.reader.clone());
        if *before != self.reader {
            return Ok(None);
        }
        cost.add(google, EVENTS);
        let list = ListEvents {
            page_token: survey.listing.page.clone(),
            ..ListEvents::default()
        };
        let page = match self.page(list).await {
            Ok(page) => page,
            // Google took a page token back.
            Err(error) if survey.listing.page.is_some() && is_refused(&error) => {
                *survey = Survey::default();
                return Ok(Some(false));
            }
            Err(error) => return Err(error.into()),
        };
        let next = next_page(&page, survey.listing.page.as_deref())?;
        let ops = self
            .ops_of_page(&mut survey.listing, page, Sight::Listing, Origin::Resync)
            .await?;
        for op in ops {
            match op {
                Op::Upsert { row, .. } => drop(survey.shown.insert(row.item, Some(row.hash))),
                Op::Fail(failure) => drop(survey.shown.insert(failure.item, None)),
                _ => {}
            }
        }
        survey.listing.page = next;
        Ok(Some(survey.listing.page.is_none()))
    }

    async fn truth(
        &mut self,
        item: &ItemId,
        row: Option<&IndexRow>,
        google: &Google,
        cost: &mut Cost,
    ) -> Result<Truth, Error> {
        cost.add(google, EVENT);
        let event = match own_event(&self.calendar, &self.id, item).await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Truth::Gone(DeleteCause::Removed)),
            Err(error) if is_of_one_event(&error) => return Ok(Truth::Failed),
            Err(error) => return Err(error.into()),
        };
        let ops = self
            .ops_of_one(event, Sight::Listing, Origin::Resync)
            .await?;
        // A series that is gone brings the deletion of its exceptions along.
        let own = ops.iter().find_map(|op| match op {
            Op::Upsert { row: new, .. } if new.item == *item => {
                Some(if row.is_some_and(|row| row.hash == new.hash) {
                    Truth::AsKnown
                } else {
                    Truth::Other
                })
            }
            Op::Fail(failure) if failure.item == *item => Some(Truth::Failed),
            _ => None,
        });
        Ok(own.unwrap_or(Truth::Gone(DeleteCause::Cancelled)))
    }

    /// `others` are further members, who are asked before anything is deleted.
    async fn mend(
        &mut self,
        wrong: &[Wrong],
        others: &[Calendar],
        google: &Google,
        cost: &mut Cost,
    ) -> Result<(), Error> {
        for wrong in wrong {
            let ops = match (wrong.kind, &wrong.row) {
                (WrongKind::Extra, Some(row)) if self.is_there_for(others, row).await? => continue,
                (WrongKind::Extra, Some(row)) => {
                    vec![self.scribe.delete(row, None, wrong.cause, Origin::Resync)]
                }
                _ => {
                    cost.add(google, EVENT);
                    self.read_again(&wrong.item, Origin::Resync).await?
                }
            };
            if !ops.is_empty() {
                self.append(ops, None, None).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Inspect for PrimaryLog {
    type Survey = Survey;

    async fn list(&mut self, survey: &mut Survey, cost: &mut Cost) -> Result<Option<bool>, Error> {
        match &mut self.reading {
            Some(reading) => reading.survey(survey, &self.shared.google, cost).await,
            None => Ok(None),
        }
    }

    fn compare(survey: &Survey, row: &IndexRow) -> Shown {
        survey.compare(row)
    }

    fn shown(survey: &Survey) -> Vec<ItemId> {
        survey.items()
    }

    async fn ask(
        &mut self,
        _: &Survey,
        item: &ItemId,
        row: Option<&IndexRow>,
        cost: &mut Cost,
    ) -> Result<Option<Truth>, Error> {
        match &mut self.reading {
            Some(reading) => {
                let truth = reading.truth(item, row, &self.shared.google, cost);
                truth.await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn mend(&mut self, wrong: &[Wrong], cost: &mut Cost) -> Result<(), Error> {
        match &mut self.reading {
            Some(reading) => reading.mend(wrong, &[], &self.shared.google, cost).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Inspect for SharedLog {
    type Survey = Survey;

    async fn list(&mut self, survey: &mut Survey, cost: &mut Cost) -> Result<Option<bool>, Error> {
        let Some(reading) = &mut self.reading else {
            return Ok(None);
        };
        let listed = reading.survey(survey, &self.shared.google, cost).await;
        self.unless_lost(listed).map(Option::flatten)
    }

    fn compare(survey: &Survey, row: &IndexRow) -> Shown {
        survey.compare(row)
    }

    fn shown(survey: &Survey) -> Vec<ItemId> {
        survey.items()
    }

    async fn ask(
        &mut self,
        _: &Survey,
        item: &ItemId,
        row: Option<&IndexRow>,
        cost: &mut Cost,
    ) -> Result<Option<Truth>, Error> {
        let others = self.others();
        let Some(reading) = &mut self.reading else {
            return Ok(None);
        };
        let mut truth = reading.truth(item, row, &self.shared.google, cost).await;
        // What only the reader does not see is not gone.
        if let (Ok(Truth::Gone(_)), Some(row)) = (&truth, row)
            && reading.is_there_for(&others, row).await?
        {
            truth = Ok(Truth::AsKnown);
        }
        self.unless_lost(truth)
    }

    async fn mend(&mut self, wrong: &[Wrong], cost: &mut Cost) -> Result<(), Error> {
        let others = self.others();
        let Some(reading) = &mut self.reading else {
            return Ok(());
        };
        let mended = reading
            .mend(wrong, &others, &self.shared.google, cost)
            .await;
        self.unless_lost(mended).map(drop)
    }
}
