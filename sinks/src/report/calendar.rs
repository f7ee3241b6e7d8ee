//! Report days: from `at` o'clock to `at` o'clock in the reader's time zone.
//!
//! A sporting day does not end at midnight: a night's games belong to the evening they began on.
//! With the default of 07:00 the page that is finished in the morning has all of the night before.

use jiff::ToSpan as _;
use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use schema::Time;

use crate::{Error, Result};

/// Earliest and latest moments that have a date in every zone, in milliseconds: years -9998 to 9998.
const MS_LIMIT: i64 = 253_000_000_000_000;

/// A time zone and the hour at which days begin.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    name: String,
    at: civil::Time,
}

/// One report day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportDay {
    /// The date on which it begins, which is its name.
    pub date: Date,
    /// Its first moment.
    pub start: Time,
    /// The first moment after it.
    pub end: Time,
}

impl Calendar {
    /// A calendar from its settings.
    pub(crate) fn new(sink: &str, tz: &str, at: &str) -> Result<Self> {
        let refuse = |setting, found: &str, advice: &str| Error::Setting {
            sink: sink.to_owned(),
            setting,
            found: format!("{found:?}"),
            advice: advice.to_owned(),
        };
        let zone = TimeZone::get(tz)
            .map_err(|_| refuse("tz", tz, "give a zone's name, as in UTC or Europe/London"))?;
        let at = civil::Time::strptime("%H:%M", at)
            .map_err(|_| refuse("at", at, "give hours and minutes, as in \"07:00\""))?;
        Ok(Self { zone, name: tz.to_owned(), at })
    }

    /// Name of the zone.
    pub(crate) fn zone(&self) -> &str {
        &self.name
    }

    /// The report day of a moment.
    pub(crate) fn day(&self, time: Time) -> ReportDay {
        let date = self.local(time).date();
        let day = self.day_of(date);
        if time < day.start { self.day_of(date.saturating_sub(1.day())) } else { day }
    }

    /// The day after.
    pub(crate) fn next(&self, day: ReportDay) -> ReportDay {
        self.day_of(day.date.saturating_add(1.day()))
    }

    /// The report day that begins on a date.
    pub(crate) fn day_of(&self, date: Date) -> ReportDay {
        let tomorrow = date.saturating_add(1.day());
        ReportDay { date, start: self.opening(date), end: self.opening(tomorrow) }
    }

    fn opening(&self, date: Date) -> Time {
        let zoned = date.to_datetime(self.at).to_zoned(self.zone.clone());
        zoned.map_or(Time::MAX, |zoned| Time::from_ms(zoned.timestamp().as_millisecond()))
    }

    fn local(&self, time: Time) -> civil::DateTime {
        let ms = time.ms().clamp(-MS_LIMIT, MS_LIMIT);
        let stamp = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        self.zone.to_datetime(stamp)
    }

    /// Hours and minutes: `19:00`.
    pub(crate) fn clock(&self, time: Time) -> String {
        self.local(time).strftime("%H:%M").to_string()
    }

    /// The day: `Fri 5 Aug`.
    pub(crate) fn weekday(&self, time: Time) -> String {
        self.local(time).strftime("%a %-d %b").to_string()
    }

    /// Date and time with the year: `5 Aug 2022 19:00`.
    pub(crate) fn dated(&self, time: Time) -> String {
        self.local(time).strftime("%-d %b %Y %H:%M").to_string()
    }

    /// Day and time: `Fri 5 Aug 19:00`.
    pub(crate) fn moment(&self, time: Time) -> String {
        self.local(time).strftime("%a %-d %b %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_belongs_to_the_evening_before() {
        let calendar = Calendar::new("report", "UTC", "07:00").unwrap();
        let day = |text: &str| calendar.day(text.parse().unwrap()).date.to_string();
        assert_eq!(day("2022-08-06T06:59:59Z"), "2022-08-05");
        assert_eq!(day("2022-08-06T07:00:00Z"), "2022-08-06");
        let today = calendar.day("2022-08-06T12:00:00Z".parse().unwrap());
        assert_eq!(calendar.next(today).start, today.end);
    }

    #[test]
    fn days_follow_the_zone_through_summer_time() {
        let calendar = Calendar::new("report", "Europe/London", "00:00").unwrap();
        let day = calendar.day("2022-03-27T12:00:00Z".parse().unwrap());
        assert_eq!(day.end.since(day.start), 23 * 3_600_000);
        assert_eq!(calendar.clock("2022-08-05T19:00:00Z".parse().unwrap()), "20:00");
    }

    #[test]
    fn any_moment_has_a_day() {
        let calendar = Calendar::new("report", "Asia/Tokyo", "07:00").unwrap();
        for time in [Time::MIN, Time::MAX, Time::from_ms(0)] {
            let day = calendar.day(time);
            assert!(day.start < day.end, "{day:?}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let error = Calendar::new("report", "Europe/Londn", "07:00").unwrap_err().to_string();
        assert!(error.contains("Europe/Londn") && error.contains("tz"), "{error}");
        for at in ["7 am", "25:00", ""] {
            assert!(Calendar::new("report", "UTC", at).unwrap_err().to_string().contains("at is"));
        }
    }
}
