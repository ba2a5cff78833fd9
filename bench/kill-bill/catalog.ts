/** The plan of the product's own benchmarks in Kill Bill's words: a fee of $20 in advance, tokens in two tiers in arrears. */
export const PLAN = 'tokens-monthly'
export const UNIT = 'tokens'

const tier = (
  price: string,
  max: string,
): string => `<tier><blocks><tieredBlock><unit>${UNIT}</unit><size>1</size>
  <prices><price><currency>USD</currency><value>${price}</value></price></prices><max>${max}</max></tieredBlock></blocks></tier>`

const rule = (name: string, kind: string, value: string): string =>
  `<${name}><${name}Case><${kind}>${value}</${kind}></${name}Case></${name}>`

export const catalog = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<catalog>
  <effectiveDate>2020-01-01T00:00:00+00:00</effectiveDate>
  <catalogName>Bench</catalogName>
  <recurringBillingMode>IN_ADVANCE</recurringBillingMode>
  <currencies><currency>USD</currency></currencies>
  <units><unit name="${UNIT}"/></units>
  <products><product name="Tokens"><category>BASE</category></product></products>
  <rules>
    ${rule('changePolicy', 'policy', 'IMMEDIATE')}
    ${rule('changeAlignment', 'alignment', 'START_OF_SUBSCRIPTION')}
    ${rule('cancelPolicy', 'policy', 'IMMEDIATE')}
    ${rule('createAlignment', 'alignment', 'START_OF_BUNDLE')}
    ${rule('billingAlignment', 'alignment', 'ACCOUNT')}
    ${rule('priceList', 'toPriceList', 'DEFAULT')}
  </rules>
  <plans>
    <plan name="${PLAN}">
      <product>Tokens</product>
      <recurringBillingMode>IN_ADVANCE</recurringBillingMode>
      <finalPhase type="EVERGREEN">
        <duration><unit>UNLIMITED</unit></duration>
        <recurring>
          <billingPeriod>MONTHLY</billingPeriod>
          <recurringPrice><price><currency>USD</currency><value>20.00</value></price></recurringPrice>
        </recurring>
        <usages>
          <usage name="tokens-usage" billingMode="IN_ARREAR" usageType="CONSUMABLE" tierBlockPolicy="ALL_TIERS">
            <billingPeriod>MONTHLY</billingPeriod>
            <tiers>${tier('0.01', '1000')}${tier('0.005', '-1')}</tiers>
          </usage>
        </usages>
      </finalPhase>
    </plan>
  </plans>
  <priceLists><defaultPriceList name="DEFAULT"><plans><plan>${PLAN}</plan></plans></defaultPriceList></priceLists>
</catalog>`
