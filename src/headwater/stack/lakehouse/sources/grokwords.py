"""The names that a Grok pattern can use without defining them: Logstash's vocabulary, as regular expressions of Java.

Its atomic groups are written as look-aheads here, which Python 3.10 has as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_HEX = "[0-9A-Fa-f]"
_PART = f"{_HEX}{{1,4}}"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_QUAD = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_LABEL = "[0-9A-Za-z][0-9A-Za-z-]{0,62}"
_IN_PATH = r"[-\w%!$@:.,~]"
_LEVELS = (
    *("[Aa]lert", "ALERT", "[Tt]race", "TRACE", "[Dd]ebug", "DEBUG", "[Nn]otice", "NOTICE", "[Ii]nfo", "INFO"),
    *("[Ww]arn?(?:ing)?", "WARN?(?:ING)?", "[Ee]rr?(?:or)?", "ERR?(?:OR)?", "[Cc]rit?(?:ical)?", "CRIT?(?:ICAL)?"),
    *("[Ff]atal", "FATAL", "[Ss]evere", "SEVERE", "EMERG(?:ENCY)?", "[Ee]merg(?:ency)?"),
)


def _abbreviated(*names: str) -> str:
    """Names of which three letters are enough."""
    return "|".join(f"{name[:3]}(?:{name[3:]})?" if name[3:] else name for name in names)


def _ipv6() -> str:
    forms = [f"(?:{_PART}:){{7}}(?:{_PART}|:)", f"(?:{_PART}:){{6}}(?::{_PART}|{_QUAD}|:)"]
    for left in range(5, 0, -1):
        rest = f"(?::{_PART}){{1,{7 - left}}}|(?::{_PART}){{0,{5 - left}}}:{_QUAD}|:"
        forms.append(f"(?:{_PART}:){{{left}}}(?:{rest})")
    forms.append(f":(?:(?::{_PART}){{1,7}}|(?::{_PART}){{0,5}}:{_QUAD}|:)")
    return f"(?:{'|'.join(f'(?:{form})' for form in forms)})(?:%.+)?"


def _quoted() -> str:
    texts = (rf"{sign}(?:\\.|[^\\{sign}])+{sign}|{sign}{sign}" for sign in "\"'`")
    return rf"(?:(?<!\\)(?:{'|'.join(texts)}))"


def _ipv4() -> str:
    octet = "(?:25[0-5]|2[0-4][0-9]|[0-1]?[0-9]{1,2})"
    return f"(?<![0-9])(?:{'[.]'.join([octet] * 4)})(?![0-9])"


WORDS: Mapping[str, str] = MappingProxyType(
    {
        "USERNAME": "[-a-zA-Z0-9._]+",
        "USER": "(?:%{USERNAME})",
        "INT": "(?:[+-]?[0-9]+)",
        "BASE10NUM": r"(?<![-+.0-9])[+-]?(?:[0-9]+(?![0-9])(?:\.[0-9]+(?![0-9])|(?!\.[0-9]))|\.[0-9]+(?![0-9]))",
        "NUMBER": "(?:%{BASE10NUM})",
        "BASE16NUM": rf"(?<!{_HEX})[+-]?(?:0x)?{_HEX}+",
        "BASE16FLOAT": rf"\b(?<![0-9A-Fa-f.])[+-]?(?:0x)?(?:{_HEX}+(?:\.{_HEX}*)?|\.{_HEX}+)\b",
        "POSINT": r"\b[1-9][0-9]*\b",
        "NONNEGINT": r"\b[0-9]+\b",
        "WORD": r"\b\w+\b",
        "NOTSPACE": r"\S+",
        "SPACE": r"\s*",
        "DATA": ".*?",
        "GREEDYDATA": ".*",
        "QUOTEDSTRING": _quoted(),
        "QS": "(?:%{QUOTEDSTRING})",
        "UUID": f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}",
        "CISCOMAC": rf"(?:(?:{_HEX}{{4}}\.){{2}}{_HEX}{{4}})",
        "WINDOWSMAC": f"(?:(?:{_HEX}{{2}}-){{5}}{_HEX}{{2}})",
        "COMMONMAC": f"(?:(?:{_HEX}{{2}}:){{5}}{_HEX}{{2}})",
        "MAC": "(?:%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC})",
        "IPV6": _ipv6(),
        "IPV4": _ipv4(),
        "IP": "(?:(?:%{IPV6})|(?:%{IPV4}))",
        "HOSTNAME": rf"\b{_LABEL}(?:\.{_LABEL})*(?:\.?|\b)",
        "HOST": "(?:%{HOSTNAME})",
        "IPORHOST": "(?:(?:%{HOSTNAME})|(?:%{IP}))",
        "HOSTPORT": "(?:%{IPORHOST}:%{POSINT:PORT})",
        "UNIXPATH": rf"(?:/(?:{_IN_PATH}|\\.)*(?!{_IN_PATH}|\\.))+",
        "WINPATH": r"(?:[A-Za-z]+:|\\)(?:\\[^\\?*]*)+",
        "PATH": "(?:%{UNIXPATH}|%{WINPATH})",
        "TTY": r"(?:/dev/(?:pts|tty[pq]?)\w*/?[0-9]+)",
        "URIPROTO": r"[A-Za-z]+(?:\+[A-Za-z+]+)?",
        "URIHOST": "%{IPORHOST}(?::%{POSINT:port})?",
        "URIPATH": r"(?:/[-A-Za-z0-9$.+!*'(){},~:;=@#%_]*)+",
        "URIPARAM": r"\?[-A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]]*",
        "URIPATHPARAM": "%{URIPATH}(?:%{URIPARAM})?",
        "URI": "%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
        "MONTH": rf"\b(?:{_abbreviated('January', 'February', 'March', 'April', 'May', 'June', 'July', 'August')}|"
        rf"{_abbreviated('September', 'October', 'November', 'December')})\b",
        "MONTHNUM": "(?:0?[1-9]|1[0-2])",
        "MONTHNUM2": "(?:0[1-9]|1[0-2])",
        "MONTHDAY": "(?:0[1-9]|[12][0-9]|3[01]|[1-9])",
        "DAY": f"(?:{_abbreviated('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday')})",
        "YEAR": r"(?:\d\d){1,2}",
        "HOUR": "(?:2[0-3]|[01]?[0-9])",
        "MINUTE": "(?:[0-5][0-9])",
        "SECOND": "(?:(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)",
        "TIME": "%{HOUR}:%{MINUTE}(?::%{SECOND})(?![0-9])",
        "DATE_US": "%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}",
        "DATE_EU": "%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}",
        "DATE": "%{DATE_US}|%{DATE_EU}",
        "DATESTAMP": "%{DATE}[- ]%{TIME}",
        "TZ": "(?:[PMCE][SD]T|UTC)",
        "ISO8601_TIMEZONE": "(?:Z|[+-]%{HOUR}(?::?%{MINUTE}))",
        "ISO8601_SECOND": "(?:%{SECOND}|60)",
        "TIMESTAMP_ISO8601": "%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]"
        "%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?",
        "DATESTAMP_RFC822": "%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}",
        "DATESTAMP_RFC2822": "%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}",
        "DATESTAMP_OTHER": "%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}",
        "DATESTAMP_EVENTLOG": "%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}",
        "SYSLOGTIMESTAMP": "%{MONTH} +%{MONTHDAY} %{TIME}",
        "PROG": r"(?:[-\w._/%]+)",
        "SYSLOGPROG": r"%{PROG:program}(?:\[%{POSINT:pid}\])?",
        "SYSLOGHOST": "%{IPORHOST}",
        "SYSLOGFACILITY": "<%{NONNEGINT:facility}.%{NONNEGINT:priority}>",
        "SYSLOGBASE": "%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:",
        "MESSAGESLOG": "%{SYSLOGBASE} %{DATA}",
        "HTTPDATE": "%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}",
        "COMMONAPACHELOG": r"%{IPORHOST:clientip} %{USER:ident} %{USER:auth} \[%{HTTPDATE:timestamp}\] "
        '"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" '
        "%{NUMBER:response} (?:%{NUMBER:bytes}|-)",
        "COMBINEDAPACHELOG": "%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}",
        "LOGLEVEL": f"(?:{'|'.join(_LEVELS)})",
    }
)
