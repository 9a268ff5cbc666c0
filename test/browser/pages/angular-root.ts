// The root of an application around the recipe for Angular, compiled together with it.

// Compiles what the packages of Angular leave to whoever bundles them.
import '@angular/compiler';
import { Component, PLATFORM_ID, provideZonelessChangeDetection, signal } from '@angular/core';
import { bootstrapApplication } from '@angular/platform-browser';
import { PriceComponent } from 'recipe:price.component.js';

const symbol = signal('');

@Component({ selector: 'app-root', imports: [PriceComponent], template: '<app-price [symbol]="symbol()" />' })
class RootComponent {
  readonly symbol = symbol;
}

/** @param isServer whether components are told that they are on a server */
export async function bootstrap(place: Element, first: string, isServer = false) {
  symbol.set(first);
  place.append(document.createElement('app-root'));
  const platform = isServer ? [{ provide: PLATFORM_ID, useValue: 'server' }] : [];
  const app = await bootstrapApplication(RootComponent, { providers: [provideZonelessChangeDetection(), platform] });
  return { set: (next: string) => symbol.set(next), unmount: () => app.destroy() };
}
