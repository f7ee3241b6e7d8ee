//! When things happened. The files say on which day (and lately at what hour) a match was played,
//! and the publisher says when it collects: Friday and Tuesday afternoons. From that follow the
//! times of everything in a row.

use jiff::civil::{Date, DateTime, Time as Hour, Weekday};
use jiff::tz::TimeZone;
use schema::{Span, Time};

use crate::Error;

/// Prices are collected on these days before a match.
const COLLECTION_DAYS: [Weekday; 2] = [Weekday::Friday, Weekday::Tuesday];
/// At this hour, UK time; also the kick-off of a match whose file gives none.
const AFTERNOON: Hour = Hour::constant(15, 0, 0, 0);
/// The fixture is known this long before its first quotes.
const FIXTURE_LEAD: Span = Span::minutes(1);
/// Closing prices are those of this long before kick-off.
const CLOSING_LEAD: Span = Span::minutes(1);
/// A result is known this long after kick-off.
const RESULT_LAG: Span = Span::hours(2);

/// The times of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamps {
    /// When the fixture is announced.
    pub fixture: Time,
    /// When the pre-match prices were collected.
    pub collected: Time,
    /// When the closing prices stood.
    pub closing: Time,
    /// Kick-off.
    pub kick_off: Time,
    /// When the result is known.
    pub result: Time,
}

/// The clock the files are written by.
#[derive(Clone, Debug)]
pub(super) struct UnitedKingdom(TimeZone);

impl UnitedKingdom {
    /// Loads the zone.
    ///
    /// # Errors
    /// Never with the bundled time zone table.
    pub fn new() -> Result<Self, Error> {
        TimeZone::get("Europe/London").map(Self).map_err(|cause| Error::Setting {
            key: "type",
            reason: format!("the time zone Europe/London is missing from this build: {cause}"),
        })
    }

    fn utc(&self, local: DateTime) -> Option<Time> {
        // In the hour that happens twice, the first; in the hour that does not happen, the later.
        let zoned = self.0.to_ambiguous_zoned(local).compatible().ok()?;
        Time::checked(zoned.timestamp().as_millisecond()).ok()
    }

    /// The times of a match on `date`, at `hour` or in the afternoon.
    pub fn stamps(&self, date: Date, hour: Option<Hour>) -> Option<Stamps> {
        let local = date.to_datetime(hour.unwrap_or(AFTERNOON));
        let kick_off = self.utc(local)?;
        let collected = self.utc(collection_before(local)?)?;
        Some(Stamps {
            fixture: collected.minus(FIXTURE_LEAD),
            collected,
            closing: kick_off.minus(CLOSING_LEAD),
            kick_off,
            result: kick_off.plus(RESULT_LAG),
        })
    }
}

/// The last collection strictly before a local time.
fn collection_before(local: DateTime) -> Option<DateTime> {
    let mut day = local.date();
    for _ in 0..=7 {
        let collection = day.to_datetime(AFTERNOON);
        if COLLECTION_DAYS.contains(&day.weekday()) && collection < local {
            return Some(collection);
        }
        day = day.yesterday().ok()?;
    }
    None
}

/// Reads `05/08/22` or `05/08/2022`, day first. Years of two digits from 70 on are of the last
/// century.
pub(super) fn read_date(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |digits: &str| -> Option<i16> {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse().ok() } else { None }
    };
    let (day, month, short) = (number(day)?, number(month)?, number(year)?);
    let year = match year.len() {
        4 => short,
        2 if short >= 70 => 1900 + short,
        2 => 2000 + short,
        _ => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Reads `20:00` or `20:00:00`.
pub(super) fn read_hour(text: &str) -> Option<Hour> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let second = parts.next().map_or(Some(0), |second| second.parse().ok())?;
    if parts.next().is_some() { None } else { Hour::new(hour, minute, second, 0).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(date: &str, hour: Option<&str>) -> Stamps {
        let uk = UnitedKingdom::new().unwrap();
        uk.stamps(read_date(date).unwrap(), hour.map(|hour| read_hour(hour).unwrap())).unwrap()
    }

    #[test]
    fn a_row_is_stamped_by_the_collection_before_it() {
        // A Friday evening in summer time: collected the same afternoon.
        let friday = stamps("05/08/2022", Some("20:00"));
        assert_eq!(friday.kick_off.to_string(), "2022-08-05T19:00:00Z");
        assert_eq!(friday.collected.to_string(), "2022-08-05T14:00:00Z");
        assert_eq!(friday.fixture.to_string(), "2022-08-05T13:59:00Z");
        assert_eq!(friday.closing.to_string(), "2022-08-05T18:59:00Z");
        assert_eq!(friday.result.to_string(), "2022-08-05T21:00:00Z");
        // Exactly at the collection: the one before.
        assert_eq!(stamps("05/08/2022", None).collected.to_string(), "2022-08-02T14:00:00Z");
        // A Saturday in winter: Friday's. A Thursday: Tuesday's. A Tuesday at noon: Friday's.
        assert_eq!(stamps("14/01/23", None).collected.to_string(), "2023-01-13T15:00:00Z");
        assert_eq!(stamps("12/01/23", None).collected.to_string(), "2023-01-10T15:00:00Z");
        assert_eq!(stamps("10/01/23", Some("12:00")).collected.to_string(), "2023-01-06T15:00:00Z");
        // Across the change of the clocks, 26 March 2023.
        assert_eq!(stamps("26/03/23", None).kick_off.to_string(), "2023-03-26T14:00:00Z");
        assert_eq!(stamps("26/03/23", None).collected.to_string(), "2023-03-24T15:00:00Z");
    }

    #[test]
    fn dates_and_hours_read_or_do_not() {
        assert_eq!(read_date("13/08/05").unwrap().to_string(), "2005-08-13");
        assert_eq!(read_date("07/08/93").unwrap().to_string(), "1993-08-07");
        for bad in
            ["", "2022-08-05", "05/08", "32/01/2020", "29/02/2021", "1/2/3", "+5/08/22", "1/1/1/22"]
        {
            assert!(read_date(bad).is_none(), "{bad}");
        }
        for bad in ["", "20", "25:00", "20:61", "8pm", "20:00:00:00"] {
            assert!(read_hour(bad).is_none(), "{bad}");
        }
        let uk = UnitedKingdom::new().unwrap();
        assert!(uk.stamps(read_date("01/01/70").unwrap(), None).is_none());
    }
}
