// What a device is called, for the player to know it again in a list.

/** What navigator tells. */
export interface Navigated { userAgent: string; maxTouchPoints?: number }

// The first that matches: most browsers claim to be others, too.
const BROWSERS: [RegExp, string][] = [
  [/\bEdg(?:A|iOS)?\//, "Edge"], [/\bOPR\/|\bOPT\//, "Opera"], [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bVivaldi\//, "Vivaldi"], [/\b(?:Firefox|FxiOS)\//, "Firefox"], [/\b(?:Chrome|Chromium|CriOS)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/\biPhone\b/, "iPhone"], [/\biPad\b/, "iPad"], [/\bAndroid\b/, "Android"], [/\bWindows\b/, "Windows"],
  [/\bCrOS\b/, "ChromeOS"], [/\bMac OS X\b|\bMacintosh\b/, "Mac"], [/\bLinux\b|\bX11\b/, "Linux"],
];

const first = (list: [RegExp, string][], text: string): string => list.find(([re]) => re.test(text))?.[1] ?? "";

/** Returns browser and system in words, like "Firefox on Linux". Nothing of what the browser calls itself is in it. */
export function deviceLabel({ userAgent, maxTouchPoints = 0 }: Navigated): string {
  const browser = first(BROWSERS, userAgent);
  let system = first(SYSTEMS, userAgent);
  if (system === "Mac" && maxTouchPoints > 1) system = "iPad"; // which says that it is a Mac
  return system ? `${browser || "Browser"} on ${system}` : browser || "Browser";
}
